// What a node reads of updates that lie at other nodes, or with the root.
#pragma once

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "server/metrics/metrics.h"
#include "server/node/calls_under_way.h"
#include "server/node/root_connection.h"
#include "server/store/store.h"

namespace cairn {

// Of an update.
struct ByteRange {
  std::uint64_t offset = 0, bytes = 0;
  friend bool operator==(const ByteRange&, const ByteRange&) = default;
};

// Connections to other nodes, made when first needed and kept. Thread-safe.
class Peers {
 public:
  // Where bytes of the update go, in the order of the ranges. An error ends the read, and is its result.
  using Put = absl::FunctionRef<absl::Status(std::uint64_t offset, absl::string_view bytes)>;

  // `self`: this node's name. `root`: where updates that lie with the root are read; it outlives this object, or is
  // null: then they cannot be. `metrics`, which counts what came, may be null.
  Peers(std::string self, std::shared_ptr<grpc::ChannelCredentials> credentials, RootConnection* root,
        Metrics* metrics = nullptr);
  ~Peers() { Close(); }

  // Reads ranges of a sealed update: of the root's where `node` is empty, else of that node, which serves Peer at
  // `address` and, under TLS, has a certificate with its name. Blocks. UNAVAILABLE: the node is away, or broke off.
  // NOT_FOUND, DATA_LOSS: it does not have the update, or one of another size. OUT_OF_RANGE: a range is not within it.
  // CANCELLED: Close was called. FAILED_PRECONDITION: no address, or no root. PERMISSION_DENIED, UNIMPLEMENTED,
  // INTERNAL: the other end does not know this node, this service, or what it is asked for.
  absl::Status Read(const std::string& node, const std::string& address, const UploadKey& key,
                    absl::Span<const ByteRange> ranges, Put put);

  void Close();  // Ends every read, and those that come later at once.

 private:
  struct Connection {
    std::string address;
    grpc::GenericStub stub;
  };
  absl::StatusOr<std::shared_ptr<Connection>> ConnectionTo(const std::string& node, const std::string& address);
  absl::Status ReadOnce(grpc::GenericStub& stub, const std::string& other, const UploadKey& key,
                        absl::Span<const ByteRange> ranges, Put put);

  const std::string self_;
  const std::shared_ptr<grpc::ChannelCredentials> credentials_;
  RootConnection* root_;
  Metrics* metrics_;
  CallsUnderWay calls_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Connection>> connections_;  // By node.
};

}  // namespace cairn
