#include "server/node/deliver_reactor.h"

#include <grpcpp/server_context.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "aggregators/blame.h"
#include "base/failpoint.h"
#include "base/status_macros.h"
#include "server/gateway/convert.h"
#include "server/node/from_proto.h"

namespace cairn {
namespace {

// What is wrong with an update is so anywhere; anything else is the node's, and its operator's.
absl::Status AtNode(const absl::Status& failure, const std::string& node) {
  if (failure.ok() || absl::IsInvalidArgument(failure) || BlamedClient(failure)) return failure;
  return absl::Status(failure.code(), absl::StrCat("node ", node, ": ", failure.message()));
}

}  // namespace

DeliverReactor::DeliverReactor(const GatewayContext& gateway, grpc::CallbackServerContext* context, NodeTable* table,
                               Allows allows)
    : gateway_(gateway), table_(table), allows_(std::move(allows)) {
  watch_id_ = gateway_.watch->Add([context] { context->TryCancel(); });
  std::lock_guard lock(mutex_);
  StartRead(&buffer_);
}

absl::Status DeliverReactor::TakeHeader(const wire::ReceivedFrame& frame) {
  CAIRN_ASSIGN_OR_RETURN(const std::string bytes, frame.Payload());
  v1::DeliverHeader header;
  const bool parsed = header.ParseFromString(bytes);
  const absl::Status failure = FromProto(header.failure());
  // What comes after the one that begins can only say why the rest does not.
  if (!parsed || (begun_ && failure.ok())) return absl::InvalidArgumentError("not the header of a delivery");
  if (incoming_ == nullptr) {
    CAIRN_RETURN_IF_ERROR(allows_(header.node()));
    CAIRN_ASSIGN_OR_RETURN(incoming_, table_->Take(header.node(), header.fetch()));
    node_ = header.node();
  }
  // Here, that would mean that the root is stopping.
  if (absl::IsCancelled(failure)) return absl::UnavailableError(failure.message());
  CAIRN_RETURN_IF_ERROR(AtNode(failure, node_));
  begun_ = !header.working();
  return incoming_->Begin(header);
}

absl::Status DeliverReactor::Take(const grpc::ByteBuffer& message) {
  CAIRN_ASSIGN_OR_RETURN(const wire::ReceivedFrame frame, wire::ReceivedFrame::Parse(message));
  if (frame.prefix().kind == wire::FrameKind::kHeader) return TakeHeader(frame);
  if (!begun_) return absl::InvalidArgumentError("expected a DeliverHeader first");
  whole_ = frame.prefix().kind == wire::FrameKind::kTrailer;
  CAIRN_FAILPOINT("root.in_delivery").IgnoreError();
  if (whole_) return absl::OkStatus();
  if (absl::Status status = frame.VerifyChecksum(); !status.ok()) return absl::UnavailableError(status.message());
  gateway_.metrics->NodeBytes(incoming_->federation(), incoming_->kind(), frame.prefix().payload_bytes);
  return incoming_->Append(frame.slices());
}

void DeliverReactor::OnReadDone(bool ok) {
  std::lock_guard lock(mutex_);
  gateway_.watch->Touch(watch_id_);
  if (!ok) return End(absl::UnavailableError(absl::StrCat(node_.empty() ? "a node" : "node " + node_, " broke off")));
  grpc::ByteBuffer message;
  message.Swap(&buffer_);
  const absl::Status taken = Take(message);
  if (!taken.ok() || whole_) return End(taken);
  StartRead(&buffer_);
}

void DeliverReactor::End(const absl::Status& status) {
  if (incoming_ != nullptr) incoming_->End(status);
  Finish(ToGrpc(status));
}

void DeliverReactor::OnDone() {
  gateway_.watch->Remove(watch_id_);
  { std::lock_guard lock(mutex_); }  // Whoever called Finish has let go.
  delete this;
}

}  // namespace cairn
