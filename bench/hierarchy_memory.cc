#include "bench/hierarchy_memory.h"

#include <algorithm>
#include <utility>

#include "absl/time/clock.h"

namespace cairn::bench {
namespace {

void Raise(ProportionalMemory& peak, const ProportionalMemory& now) {
  for (auto field : {&ProportionalMemory::total, &ProportionalMemory::anonymous, &ProportionalMemory::file,
                     &ProportionalMemory::shared}) {
    peak.*field = std::max(peak.*field, now.*field);
  }
}

}  // namespace

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
    const ProportionalMemory now = ProportionalMemoryOf(pids_[i]).value_or(ProportionalMemory{});
    Raise(peaks_.processes[i], now);
    total += now.total;
  }
  peaks_.total = std::max(peaks_.total, total);
}

}  // namespace cairn::bench
