#include "server/gateway/stream_watch.h"

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include "base/clock.h"

namespace cairn {
namespace {

constexpr absl::Duration kIntervalMax = absl::Seconds(1);

}  // namespace

StreamWatch::StreamWatch(absl::Duration idle_max) : idle_max_(idle_max) {
  thread_ = std::thread([this] { Loop(); });
}

StreamWatch::~StreamWatch() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

StreamWatch::Id StreamWatch::Add(std::function<void()> cancel) {
  std::lock_guard lock(mutex_);
  const Id id = next_id_++;
  streams_[id] = {std::move(cancel), SteadyClock().Now() + idle_max_};
  if (streams_.size() == 1) wake_.notify_one();
  return id;
}

void StreamWatch::Touch(Id id) {
  std::lock_guard lock(mutex_);
  if (auto it = streams_.find(id); it != streams_.end()) it->second.deadline = SteadyClock().Now() + idle_max_;
}

void StreamWatch::Pause(Id id) {
  std::lock_guard lock(mutex_);
  if (auto it = streams_.find(id); it != streams_.end()) it->second.deadline = absl::InfiniteFuture();
}

void StreamWatch::Remove(Id id) {
  std::lock_guard lock(mutex_);
  streams_.erase(id);
}

void StreamWatch::Loop() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    // An idle server sleeps.
    if (streams_.empty()) {
      wake_.wait_for(lock, std::chrono::hours(1), [this] { return stopping_ || !streams_.empty(); });
    } else {
      wake_.wait_for(lock, absl::ToChronoNanoseconds(std::min(kIntervalMax, idle_max_ / 4)),
                     [this] { return stopping_; });
    }
    CancelIdle();
  }
}

void StreamWatch::CancelIdle() {
  const absl::Time now = SteadyClock().Now();
  std::vector<Id> idle;
  for (const auto& [id, stream] : streams_) {
    if (now >= stream.deadline) idle.push_back(id);
  }
  for (Id id : idle) {
    auto it = streams_.find(id);
    if (it == streams_.end()) continue;
    it->second.deadline = absl::InfiniteFuture();
    const std::function<void()> cancel = it->second.cancel;
    cancel();
  }
}

}  // namespace cairn
