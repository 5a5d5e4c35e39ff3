// The receiving side of designs that copy: a thread brings updates into warm memory, another one takes them.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bench/hierarchy_channel.h"
#include "bench/hierarchy_slab.h"

namespace cairn::bench {

// Thread-safe.
class Arrivals {
 public:
  explicit Arrivals(const HierarchyEnds& ends) : bytes_(ends.bytes), pool_(ends.bytes) {}

  // Memory for the next update: whoever waits until its bytes come finds some.
  absl::StatusOr<Slab> Room() { return pool_.Take(); }

  void Put(absl::StatusOr<Slab> slab) {
    std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(slab));
    changed_.notify_one();
  }
  // Puts what `receive` gives until it gives an error, which is put last.
  template <typename Receive>
  void Fill(Receive receive) {
    for (bool ok = true; ok;) {
      absl::StatusOr<Slab> slab = receive();
      ok = slab.ok();
      Put(std::move(slab));
    }
  }
  absl::StatusOr<Arrival> Take() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !waiting_.empty(); });
    absl::StatusOr<Slab> slab = std::move(waiting_.front());
    if (!slab.ok()) return slab.status();  // It stays: nothing comes any more.
    waiting_.pop_front();
    auto hold = std::make_shared<Slab>(*std::move(slab));
    return Arrival{{hold->data(), bytes_}, hold, nullptr};
  }
  bool Waiting() {
    std::lock_guard lock(mutex_);
    return !waiting_.empty();
  }

 private:
  const std::uint64_t bytes_;
  SlabPool pool_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<absl::StatusOr<Slab>> waiting_;
};

}  // namespace cairn::bench
