#include "server/node/upload_teller.h"

#include <utility>

namespace cairn {
namespace {

constexpr std::size_t kNoticesMax = 1024;  // Of one message; what comes beyond it while one is under way is not told.

v1::UploadNotice NoticeOf(const UploadKey& key) {
  v1::UploadNotice notice;
  notice.set_federation(key.federation);
  notice.set_round(key.round);
  notice.set_client(key.client);
  notice.set_payload_bytes(key.bytes);
  return notice;
}

bool SameUpload(const v1::UploadNotice& a, const v1::UploadNotice& b) {
  return a.client() == b.client() && a.federation() == b.federation() && a.round() == b.round();
}

}  // namespace

void UploadTeller::Progress(const UploadKey& key, std::uint64_t received) {
  v1::UploadNotice notice = NoticeOf(key);
  notice.set_received(received);
  Add(std::move(notice));
}

void UploadTeller::Ended(const UploadKey& key, const absl::Status& refusal) {
  v1::UploadNotice notice = NoticeOf(key);
  notice.set_ended(true);
  *notice.mutable_refusal() = ToProto(refusal);
  Add(std::move(notice));
}

void UploadTeller::Add(v1::UploadNotice notice) {
  std::lock_guard lock(mutex_);
  for (v1::UploadNotice& queued : queue_) {
    if (queued.ended() || notice.ended() || !SameUpload(queued, notice)) continue;
    queued = std::move(notice);
    return;
  }
  if (queue_.size() < kNoticesMax) queue_.push_back(std::move(notice));
  if (!sending_) SendLocked();
}

void UploadTeller::SendLocked() {
  sending_ = !queue_.empty();
  if (!sending_) return;
  v1::UploadNotices notices;
  for (v1::UploadNotice& notice : queue_) *notices.add_notices() = std::move(notice);
  queue_.clear();
  root_->Call<v1::UploadNoticesReply>(
      [this](auto* context, auto* request, auto* reply, auto done) {
        root_->node().async()->TellUploads(context, request, reply, std::move(done));
      },
      std::move(notices),
      [this](const absl::StatusOr<v1::UploadNoticesReply>&) {
        std::lock_guard lock(mutex_);
        SendLocked();
      });
}

}  // namespace cairn
