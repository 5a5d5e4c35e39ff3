// The peak of the memory that processes share between them.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/time.h"
#include "bench/resident.h"

namespace cairn::bench {

// Looks at the PSS of processes again and again while it lives. That takes the kernel milliseconds for a large process:
// what is timed meanwhile is slower.
class MemoryWatch {
 public:
  MemoryWatch(std::vector<pid_t> processes, absl::Duration every);
  ~MemoryWatch();

  struct Peaks {
    std::uint64_t total = 0;                    // Of the sum, in bytes.
    std::vector<ProportionalMemory> processes;  // Of each, in order; no two figures need be of one time.
  };
  Peaks Stop();

 private:
  void Look();

  const std::vector<pid_t> pids_;
  Peaks peaks_;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

}  // namespace cairn::bench
