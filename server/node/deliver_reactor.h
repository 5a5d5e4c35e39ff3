// One stream of Deliver, at the root: headers, chunks, trailer.
#pragma once

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/server_callback.h>

#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "server/gateway/context.h"
#include "server/node/node_table.h"
#include "wire/frame.h"

namespace cairn {

class DeliverReactor final : public grpc::ServerReadReactor<grpc::ByteBuffer> {
 public:
  // Whether the caller may speak for a node.
  using Allows = std::function<absl::Status(const std::string& node)>;

  DeliverReactor(const GatewayContext& gateway, grpc::CallbackServerContext* context, NodeTable* table, Allows allows);

  void OnReadDone(bool ok) override;
  void OnDone() override;

 private:
  // Each with mutex_ held. Not OK: the stream ends with it.
  absl::Status Take(const grpc::ByteBuffer& message);
  absl::Status TakeHeader(const wire::ReceivedFrame& frame);
  void End(const absl::Status& status);

  const GatewayContext& gateway_;
  NodeTable* table_;
  const Allows allows_;
  StreamWatch::Id watch_id_;
  std::mutex mutex_;
  std::string node_;    // Who brings it. Empty: not known yet.
  bool begun_ = false;  // The header is there that says what comes.
  bool whole_ = false;
  grpc::ByteBuffer buffer_;
  std::shared_ptr<Incoming> incoming_;
};

}  // namespace cairn
