#include "server/node/root_reducer.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/failpoint.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "server/node/from_proto.h"

namespace cairn {

absl::Status RootReducer::ReducePiece(std::uint64_t fetch, bool greatest, absl::Span<std::int64_t> values) {
  CAIRN_FAILPOINT("node.before_reduce").IgnoreError();
  grpc::ClientContext context;
  v1::ReduceRequest request;
  request.set_node(node_);
  request.set_fetch(fetch);
  request.set_greatest(greatest);
  request.mutable_values()->Add(values.begin(), values.end());
  v1::ReduceReply reply;
  root_->calls().Add(&context);
  // No Result: what another node gave up for is not the root's.
  const absl::Status reduced = FromGrpc(root_->node().Reduce(&context, request, &reply), root_->name());
  root_->calls().Remove(&context);
  CAIRN_RETURN_IF_ERROR(reduced);
  if (static_cast<std::size_t>(reply.values_size()) != values.size()) {
    return absl::InternalError(
        absl::StrCat("the root brought ", reply.values_size(), " of ", values.size(), " numbers"));
  }
  std::copy(reply.values().begin(), reply.values().end(), values.begin());
  return absl::OkStatus();
}

absl::Status RootReducer::Reduce(std::uint64_t fetch, bool greatest, absl::Span<std::int64_t> values) {
  {
    std::lock_guard lock(mutex_);
    if (closed_) return absl::UnavailableError("the gateway is stopping");
    ++calls_;
  }
  absl::Status status;
  while (status.ok() && !values.empty()) {
    const absl::Span<std::int64_t> piece = values.subspan(0, limits::kReducedNumbersMax);
    status = ReducePiece(fetch, greatest, piece);
    values.remove_prefix(piece.size());
  }
  std::lock_guard lock(mutex_);
  --calls_;
  none_.notify_all();
  return status;
}

void RootReducer::Close() {
  std::unique_lock lock(mutex_);
  closed_ = true;
  none_.wait(lock, [this] { return calls_ == 0; });
}

}  // namespace cairn
