// One stream of Read: chunks straight from where an update lies, an empty trailer.
#pragma once

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/server_callback.h>

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "proto/cairn/v1/peer.pb.h"
#include "server/gateway/chunk_frames.h"
#include "server/gateway/context.h"
#include "server/store/store.h"

namespace cairn {

class ReadReactor final : public grpc::ServerWriteReactor<grpc::ByteBuffer> {
 public:
  // Whether the caller may speak for a node.
  using Allows = std::function<absl::Status(const std::string& node)>;

  ReadReactor(const GatewayContext& gateway, Store* store, grpc::CallbackServerContext* context,
              const grpc::ByteBuffer& request, const Allows& allows);

  void OnWriteDone(bool ok) override;
  void OnDone() override;

 private:
  // Each is called with mutex_ held.
  absl::Status Check(const grpc::ByteBuffer& request, const Allows& allows);
  absl::Status Open();
  void SendNext();
  void Send(const grpc::ByteBuffer& message);
  void End(const absl::Status& status);

  const GatewayContext& gateway_;
  Store* store_;
  StreamWatch::Id watch_id_;

  std::mutex mutex_;
  v1::ReadRequest request_;
  std::shared_ptr<const Blob> blob_;
  std::optional<ChunkFrames> chunks_;
  int next_range_ = 0;
  absl::string_view rest_;  // Of the range before that one.
  bool trailer_ = false;    // It is on its way.
  grpc::ByteBuffer message_;
};

}  // namespace cairn
