// Shards that meet in one process, for tests.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "aggregators/shard.h"

namespace cairn::testing {

// Shards on threads of one process. One that leaves early ends the others' waiting.
class ShardMeeting {
 public:
  explicit ShardMeeting(std::size_t members) : members_(members) {}

  // Gives the shard what it brings numbers together with.
  void Admit(Shard& shard) {
    shard.sum = [this](absl::Span<std::int64_t> values) { return Bring(values, Sum); };
    shard.max = [this](absl::Span<std::int64_t> values) { return Bring(values, Max); };
  }
  void Leave() {
    const std::lock_guard lock(mutex_);
    left_ = true;
    changed_.notify_all();
  }

 private:
  // As Gloo adds: with wrap-around.
  static std::int64_t Sum(std::int64_t x, std::int64_t y) {
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(x) + static_cast<std::uint64_t>(y));
  }
  static std::int64_t Max(std::int64_t x, std::int64_t y) { return std::max(x, y); }

  template <typename Combine>
  absl::Status Bring(absl::Span<std::int64_t> values, Combine combine) {
    std::unique_lock lock(mutex_);
    if (arrived_ == 0) {
      together_.assign(values.begin(), values.end());
    } else if (together_.size() != values.size()) {
      return absl::InternalError("shards bring different numbers of values");
    } else {
      for (std::size_t i = 0; i < values.size(); ++i) together_[i] = combine(together_[i], values[i]);
    }
    const int turn = turn_;
    if (++arrived_ == members_) {
      result_ = together_;
      arrived_ = 0;
      ++turn_;
      changed_.notify_all();
    }
    changed_.wait(lock, [&] { return turn_ != turn || left_; });
    if (turn_ == turn) return absl::UnavailableError("a shard left");
    std::copy(result_.begin(), result_.end(), values.begin());
    return absl::OkStatus();
  }

  const std::size_t members_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t arrived_ = 0;
  int turn_ = 0;
  bool left_ = false;
  std::vector<std::int64_t> together_, result_;
};

}  // namespace cairn::testing
