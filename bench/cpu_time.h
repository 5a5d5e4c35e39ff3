// Processor time.
#pragma once

#include <sys/types.h>
#include <time.h>

namespace cairn::bench {

inline double SecondsOn(clockid_t clock) {
  timespec time{};
  if (clock_gettime(clock, &time) != 0) return 0;
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

// In user space and in the kernel, of all threads of a process so far; 0 when it has gone.
inline double CpuSecondsOf(pid_t pid) {
  clockid_t clock;
  return clock_getcpuclockid(pid, &clock) == 0 ? SecondsOn(clock) : 0;
}

}  // namespace cairn::bench
