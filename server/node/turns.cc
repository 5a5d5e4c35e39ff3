#include "server/node/turns.h"

#include <chrono>
#include <utility>

namespace cairn {
namespace {

constexpr std::chrono::milliseconds kLookAgain(500);  // At what becomes of errands, which tell nobody.

}  // namespace

absl::StatusOr<std::unique_ptr<Turns::Turn>> Turns::Await(const std::shared_ptr<const Errand>& errand) {
  const Errand::AwaitsOthers waits(*errand);  // The one before it is watched, too.
  std::unique_lock lock(mutex_);
  while (taken_) {
    if (!errand->wanted()) return absl::AbortedError("nobody wants it any more");
    if (holder_ != nullptr && holder_->hung()) {
      return absl::DeadlineExceededError("what was asked for before it hangs; this gateway must be started again");
    }
    left_.wait_for(lock, kLookAgain);
  }
  taken_ = true;
  holder_ = errand;
  return std::make_unique<Turn>(this);
}

std::unique_ptr<Turns::Turn> Turns::TryTake() {
  std::lock_guard lock(mutex_);
  if (std::exchange(taken_, true)) return nullptr;
  return std::make_unique<Turn>(this);
}

void Turns::Leave() {
  std::lock_guard lock(mutex_);
  taken_ = false;
  holder_ = nullptr;
  left_.notify_one();  // With the lock: once it is released, this object may be gone.
}

}  // namespace cairn
