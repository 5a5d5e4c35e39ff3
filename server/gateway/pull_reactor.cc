#include "server/gateway/pull_reactor.h"

#include <grpcpp/server_context.h>
#include <spdlog/spdlog.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "server/gateway/convert.h"
#include "server/gateway/raw_request.h"
#include "wire/frame.h"

namespace cairn {

PullReactor::PullReactor(const GatewayContext& gateway, grpc::CallbackServerContext* context,
                         const grpc::ByteBuffer* request)
    : gateway_(gateway) {
  watch_id_ = gateway_.watch->Add([context] { context->TryCancel(); });
  std::lock_guard lock(mutex_);
  auto parsed = ParseRawRequest<v1::PullRequest>(*request);
  if (!parsed.ok()) {
    End(parsed.status());
    return;
  }
  request_ = *std::move(parsed);
  const bool delta = request_.form() == v1::PullRequest::FORM_DELTA;
  gateway_.root->FindVersion(request_.federation(), request_.version(), delta,
                             [this](absl::StatusOr<VersionFile> version) {
                               gateway_.workers->Run([this, version = std::move(version)] {
                                 std::lock_guard lock(mutex_);
                                 Open(version);
                               });
                             });
}

void PullReactor::OnDone() {
  gateway_.watch->Remove(watch_id_);
  { std::lock_guard lock(mutex_); }  // Whoever called Finish has let go.
  delete this;
}

absl::Status PullReactor::CheckVersion(const absl::StatusOr<VersionFile>& version) {
  CAIRN_RETURN_IF_ERROR(version.status());
  version_ = *version;
  file_ = version_.file;
  if (file_ == nullptr) {
    CAIRN_ASSIGN_OR_RETURN(MappedFile file, MappedFile::Open(version_.path));
    file_ = std::make_shared<const MappedFile>(std::move(file));
  }
  if (request_.offset() <= file_->bytes().size()) return absl::OkStatus();
  return absl::OutOfRangeError(
      absl::StrCat("pull: offset ", request_.offset(), " of ", file_->bytes().size(), " bytes"));
}

void PullReactor::Open(absl::StatusOr<VersionFile> version) {
  if (absl::Status status = CheckVersion(version); !status.ok()) return End(status);
  rest_ = file_->bytes().substr(request_.offset());
  // A file that clients pull again and again must not disturb whoever combines meanwhile.
  chunks_.emplace(
      file_, [file = file_.get()] { file->DropPages(); }, LostPagesGuard::Readers::kOne);
  phase_ = Phase::kChunks;
  SendHeader();
}

void PullReactor::Send(const grpc::ByteBuffer& message) {
  message_ = message;
  StartWrite(&message_);
}

void PullReactor::SendHeader() {
  v1::PullHeader header;
  header.set_version(version_.version);
  header.set_adapter_config(version_.adapter.config);
  header.set_payload_bytes(file_->bytes().size());
  header.set_sha256(version_.adapter.sha256);
  Send(wire::ControlFrame(wire::FrameKind::kHeader, header.SerializeAsString()));
}

void PullReactor::OnWriteDone(bool ok) {
  gateway_.watch->Touch(watch_id_);
  std::lock_guard lock(mutex_);
  if (!ok) return End(absl::CancelledError("pull: the stream broke"));
  SendNext();
}

void PullReactor::SendNext() {
  if (phase_ == Phase::kTrailer) return End(absl::OkStatus());
  if (rest_.empty()) {
    phase_ = Phase::kTrailer;
    v1::PullTrailer trailer;
    trailer.set_sha256(version_.adapter.sha256);
    return Send(wire::ControlFrame(wire::FrameKind::kTrailer, trailer.SerializeAsString()));
  }
  const std::size_t before = rest_.size();
  const absl::StatusOr<grpc::ByteBuffer> frame = chunks_->Next(rest_);
  if (!frame.ok()) {
    spdlog::error("{}: sending version {}: {}", request_.federation(), version_.version, frame.status().ToString());
    return End(frame.status());
  }
  gateway_.metrics->BytesSent(request_.federation(), before - rest_.size());
  Send(*frame);
}

void PullReactor::End(const absl::Status& status) {
  phase_ = Phase::kFinished;
  Finish(ToGrpc(status));
}

}  // namespace cairn
