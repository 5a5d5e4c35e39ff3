#include "server/node/watch_feed.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/time/clock.h"

namespace cairn {
namespace {

constexpr std::chrono::milliseconds kRetryInterval(500);

}  // namespace

WatchFeed::WatchFeed(RootConnection* root, std::string federation) : root_(root), federation_(std::move(federation)) {
  thread_ = std::thread([this] { Loop(); });
}

WatchFeed::~WatchFeed() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void WatchFeed::Subscribe(Id id, Listener listener, std::function<void(absl::Status)> done) {
  std::unique_lock lock(mutex_);
  if (latest_ == nullptr) {
    waiting_.push_back({id, std::move(listener), std::move(done)});
    return;
  }
  listener(Notice{Notice::Kind::kSnapshot, latest_, "", "", absl::Now()});
  listeners_.emplace(id, std::move(listener));
  lock.unlock();
  done(absl::OkStatus());
}

void WatchFeed::Unsubscribe(Id id) {
  std::lock_guard lock(mutex_);
  listeners_.erase(id);
}

void WatchFeed::Hear(const Notice& notice) {
  std::vector<Waiting> begun;
  {
    std::lock_guard lock(mutex_);
    latest_ = notice.snapshot;
    for (const auto& [id, listener] : listeners_) listener(notice);
    begun.swap(waiting_);
    for (Waiting& waiting : begun) {
      waiting.listener(Notice{Notice::Kind::kSnapshot, latest_, "", "", notice.at});
      listeners_.emplace(waiting.id, std::move(waiting.listener));
    }
  }
  for (Waiting& waiting : begun) waiting.done(absl::OkStatus());
}

// Those who hear already hear on when the root is back.
void WatchFeed::Fail(const absl::Status& why) {
  std::vector<Waiting> failed;
  {
    std::lock_guard lock(mutex_);
    latest_ = nullptr;
    failed.swap(waiting_);
  }
  for (Waiting& waiting : failed) waiting.done(why);
}

absl::Status WatchFeed::Follow() {
  grpc::ClientContext context;
  root_->calls().Add(&context);
  v1::WatchRequest request;
  request.set_federation(federation_);
  const auto stream = root_->federation().Watch(&context, request);
  v1::RoundEvent event;
  while (stream->Read(&event)) Hear(FromProto(event));
  const absl::Status ended = root_->Result(stream->Finish());
  root_->calls().Remove(&context);
  return ended.ok() ? absl::UnavailableError("the root ended the stream") : ended;
}

bool WatchFeed::Pause() {
  std::unique_lock lock(mutex_);
  return !wake_.wait_for(lock, kRetryInterval, [this] { return stopping_; });
}

void WatchFeed::Loop() {
  do {
    Fail(Follow());
  } while (Pause());
  Fail(absl::UnavailableError("the gateway stops"));
}

}  // namespace cairn
