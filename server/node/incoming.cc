#include "server/node/incoming.h"

#include <chrono>

#include "absl/strings/str_cat.h"

namespace cairn {
namespace {

constexpr std::chrono::seconds kStartMax(30);  // Until the node begins to bring what it was asked for.

}  // namespace

bool Incoming::Take() {
  std::lock_guard lock(mutex_);
  if (end_) return false;
  return !std::exchange(taken_, true);
}

template <typename Step>
absl::Status Incoming::Bring(Step step) {
  {
    std::lock_guard lock(mutex_);
    if (end_) return absl::UnavailableError("nobody waits for it any more");
    bringing_ = true;
  }
  const absl::Status taken = step();
  std::lock_guard lock(mutex_);
  bringing_ = false;
  ended_.notify_one();
  return taken;
}

absl::Status Incoming::Begin(const v1::DeliverHeader& header) {
  return Bring([&] { return OnBegin(header); });
}

absl::Status Incoming::Append(absl::Span<const absl::string_view> slices) {
  return Bring([&] { return OnAppend(slices); });
}

void Incoming::End(const absl::Status& status) {
  std::lock_guard lock(mutex_);
  if (!end_) end_ = status;
  ended_.notify_one();
}

absl::Status Incoming::Await() {
  std::unique_lock lock(mutex_);
  if (!ended_.wait_for(lock, kStartMax, [this] { return end_ || taken_; })) {
    end_ = absl::UnavailableError(absl::StrCat("node ", node_, " does not bring what it was asked for"));
  }
  // Whoever brings it ends it: a stream without progress is ended by its watch.
  ended_.wait(lock, [this] { return end_ && !bringing_; });
  return *end_;
}

}  // namespace cairn
