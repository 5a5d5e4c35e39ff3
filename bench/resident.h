// How much memory a process holds, and how much there is.
#pragma once

#include <sys/types.h>

#include <cstdint>

#include "absl/status/statusor.h"

namespace cairn::bench {

// Of a process, in bytes, as /proc shows them.
struct ResidentMemory {
  std::uint64_t peak = 0;  // VmHWM.
  std::uint64_t now = 0;   // anonymous + file + shared.
  std::uint64_t anonymous = 0, file = 0, shared = 0;
};
absl::StatusOr<ResidentMemory> ResidentMemoryOf(pid_t pid);

// Its share of the memory that processes have mapped (PSS), in bytes: what several of them map counts once in their
// sum.
struct ProportionalMemory {
  std::uint64_t total = 0;
  std::uint64_t anonymous = 0, file = 0, shared = 0;  // Parts of it; shared: memfd and the like.
};
absl::StatusOr<ProportionalMemory> ProportionalMemoryOf(pid_t pid);

// What this machine has left, without swapping.
absl::StatusOr<std::uint64_t> AvailableMemory();

}  // namespace cairn::bench
