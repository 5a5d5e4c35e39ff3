// Who a process is, for good: the kernel gives a pid to another process once its owner is gone.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace cairn {

struct ProcessId {
  std::int32_t pid = 0;
  std::uint64_t start = 0;  // Clock ticks from boot to its start, as in /proc/PID/stat.

  friend bool operator==(const ProcessId&, const ProcessId&) = default;
};

// NOT_FOUND: no such process, or it is not visible from here (another PID namespace).
absl::StatusOr<ProcessId> FindProcess(pid_t pid);

}  // namespace cairn
