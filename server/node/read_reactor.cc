#include "server/node/read_reactor.h"

#include <grpcpp/server_context.h>

#include <cstdint>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/digest.h"
#include "base/ids.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "server/gateway/convert.h"
#include "server/gateway/raw_request.h"
#include "wire/frame.h"

namespace cairn {
namespace {

// Of an update that may be there: it becomes a path.
absl::Status CheckName(absl::string_view name) {
  const std::vector<absl::string_view> parts = absl::StrSplit(name, '~');
  if (parts.size() == 2 && IsSha256Hex(parts[1])) return CheckId("client", parts[0]);
  return absl::InvalidArgumentError("read: expected CLIENT~SHA256");
}

absl::Status CheckRanges(const v1::ReadRequest& request) {
  if (static_cast<std::size_t>(request.ranges_size()) > limits::kReadRangesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("read: ", request.ranges_size(), " ranges, more than ", limits::kReadRangesMax));
  }
  const std::uint64_t size = request.payload_bytes();
  for (const v1::ByteRange& range : request.ranges()) {
    if (range.offset() <= size && range.bytes() <= size - range.offset()) continue;
    return absl::OutOfRangeError(
        absl::StrCat(request.name(), ": ", range.bytes(), " bytes from ", range.offset(), " on, of ", size));
  }
  return absl::OkStatus();
}

}  // namespace

ReadReactor::ReadReactor(const GatewayContext& gateway, Store* store, grpc::CallbackServerContext* context,
                         const grpc::ByteBuffer& request, const Allows& allows)
    : gateway_(gateway), store_(store) {
  watch_id_ = gateway_.watch->Add([context] { context->TryCancel(); });
  std::lock_guard lock(mutex_);
  if (const absl::Status status = Check(request, allows); !status.ok()) {
    End(status);
    return;
  }
  gateway_.workers->Run([this] {
    std::lock_guard opening(mutex_);
    const absl::Status opened = Open();
    opened.ok() ? SendNext() : End(opened);
  });
}

absl::Status ReadReactor::Check(const grpc::ByteBuffer& request, const Allows& allows) {
  CAIRN_ASSIGN_OR_RETURN(request_, ParseRawRequest<v1::ReadRequest>(request));
  CAIRN_RETURN_IF_ERROR(allows(request_.node()));
  CAIRN_RETURN_IF_ERROR(CheckId("federation", request_.federation()));
  CAIRN_RETURN_IF_ERROR(CheckName(request_.name()));
  return CheckRanges(request_);
}

absl::Status ReadReactor::Open() {
  CAIRN_ASSIGN_OR_RETURN(blob_, store_->Find(request_.federation(), request_.name()));
  if (blob_->bytes().size() != request_.payload_bytes()) {
    return absl::DataLossError(
        absl::StrCat(request_.name(), ": ", blob_->bytes().size(), " bytes instead of ", request_.payload_bytes()));
  }
  chunks_.emplace(
      blob_, [blob = blob_.get()] { blob->DropPages(); }, LostPagesGuard::Readers::kOne);
  return absl::OkStatus();
}

void ReadReactor::SendNext() {
  if (trailer_) return End(absl::OkStatus());
  while (rest_.empty() && next_range_ < request_.ranges_size()) {
    const v1::ByteRange& range = request_.ranges(next_range_++);
    rest_ = blob_->bytes().substr(range.offset(), range.bytes());
  }
  if (!rest_.empty()) {
    const absl::StatusOr<grpc::ByteBuffer> frame = chunks_->Next(rest_);
    return frame.ok() ? Send(*frame) : End(frame.status());
  }
  trailer_ = true;
  Send(wire::ControlFrame(wire::FrameKind::kTrailer, ""));
}

void ReadReactor::Send(const grpc::ByteBuffer& message) {
  message_ = message;
  StartWrite(&message_);
}

void ReadReactor::OnWriteDone(bool ok) {
  gateway_.watch->Touch(watch_id_);
  std::lock_guard lock(mutex_);
  ok ? SendNext() : End(absl::CancelledError("read: the stream broke"));
}

void ReadReactor::End(const absl::Status& status) { Finish(ToGrpc(status)); }

void ReadReactor::OnDone() {
  gateway_.watch->Remove(watch_id_);
  { std::lock_guard lock(mutex_); }  // Whoever called Finish has let go.
  delete this;
}

}  // namespace cairn
