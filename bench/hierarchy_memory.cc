#include "bench/hierarchy_memory.h"

#include <algorithm>
#include <utility>

#include "absl/time/clock.h"
#include "bench/resident.h"

namespace cairn::bench {

MemoryWatch::MemoryWatch(std::vector<pid_t> processes, absl::Duration every) : pids_(std::move(processes)) {
  peaks_.processes.resize(pids_.size());
  thread_ = std::thread([this, every] {
    do {
      Look();
      absl::SleepFor(every);
    } while (!stop_);
    Look();
  });
}

MemoryWatch::~MemoryWatch() { Stop(); }

MemoryWatch::Peaks MemoryWatch::Stop() {
  stop_ = true;
  if (thread_.joinable()) thread_.join();
  return peaks_;
}

void MemoryWatch::Look() {
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < pids_.size(); ++i) {
    const std::uint64_t bytes = ProportionalMemoryOf(pids_[i]).value_or(0);
    peaks_.processes[i] = std::max(peaks_.processes[i], bytes);
    total += bytes;
  }
  peaks_.total = std::max(peaks_.total, total);
}

}  // namespace cairn::bench
