#include "server/gateway/watch_reactor.h"

#include <utility>

#include "base/limits.h"
#include "server/gateway/convert.h"

namespace cairn {
namespace {

// A reader this far behind is told to connect again.
constexpr std::size_t kQueuedEventsMax = 1024;
constexpr std::size_t kQueuedBytesMax = 4 * limits::kMiB;

}  // namespace

WatchReactor::WatchReactor(const GatewayContext& gateway, const std::string& federation) : gateway_(gateway) {
  gateway_.root->Subscribe(
      federation, [this](const Notice& notice) { OnNotice(notice); },
      [this](absl::StatusOr<Root::Subscription> subscription) { OnSubscribed(std::move(subscription)); });
}

void WatchReactor::OnSubscribed(absl::StatusOr<Root::Subscription> subscription) {
  std::lock_guard lock(mutex_);
  subscribing_ = false;
  if (!subscription.ok()) return End(ToGrpc(subscription.status()));
  subscription_ = *subscription;
  if (cancelled_ && !writing_) End(grpc::Status::CANCELLED);
}

void WatchReactor::OnNotice(const Notice& notice) {
  std::lock_guard lock(mutex_);
  if (finished_ || cancelled_) return;
  // The newest progress says all that an older one did.
  const std::size_t first_waiting = writing_ ? 1 : 0;
  if (notice.kind == Notice::Kind::kProgress && queue_.size() > first_waiting &&
      queue_.back().kind() == v1::RoundEvent::KIND_PROGRESS) {
    Drop(queue_.size() - 1);
  }
  if (queue_.size() >= kQueuedEventsMax || queued_bytes_ >= kQueuedBytesMax) {
    Drop(first_waiting);  // The write in progress ends the stream when it comes back.
    cancelled_ = true;
    return;
  }
  queue_.push_back(ToProto(notice));
  queued_bytes_ += queue_.back().ByteSizeLong();
  if (!writing_) WriteNext();
}

void WatchReactor::Drop(std::size_t first) {
  for (; queue_.size() > first; queue_.pop_back()) queued_bytes_ -= queue_.back().ByteSizeLong();
}

void WatchReactor::WriteNext() {
  if (queue_.empty()) return;
  writing_ = true;
  StartWrite(&queue_.front());
}

void WatchReactor::OnWriteDone(bool ok) {
  std::lock_guard lock(mutex_);
  writing_ = false;
  queued_bytes_ -= queue_.front().ByteSizeLong();
  queue_.pop_front();
  if (!ok || cancelled_) {
    cancelled_ = true;
    if (!subscribing_) End(grpc::Status(grpc::StatusCode::UNAVAILABLE, "watch: the stream broke or fell behind"));
    return;
  }
  WriteNext();
}

void WatchReactor::OnCancel() {
  std::lock_guard lock(mutex_);
  cancelled_ = true;
  if (!writing_ && !subscribing_) End(grpc::Status::CANCELLED);
}

void WatchReactor::End(const grpc::Status& status) {
  if (std::exchange(finished_, true)) return;
  Finish(status);
}

void WatchReactor::OnDone() {
  std::optional<Root::Subscription> subscription;
  {
    std::lock_guard lock(mutex_);
    subscription = subscription_;
  }
  if (subscription) gateway_.root->Unsubscribe(*subscription);
  delete this;
}

}  // namespace cairn
