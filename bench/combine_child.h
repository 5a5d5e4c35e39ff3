// A measurement in a process of its own: its peak memory is its own, and what it leaves warm is gone with it.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace cairn::bench {

struct ChildResult {
  double seconds = 0;                // Of the body.
  std::uint64_t resident_start = 0;  // Bytes, before the body.
  std::uint64_t resident_peak = 0;   // Its highest, VmHWM.
  std::vector<double> figures;       // What the body appended.
};

// Runs `body` in a forked child. The caller must have no threads yet. An error of the body is returned; INTERNAL when
// the child dies.
absl::StatusOr<ChildResult> MeasureInChild(absl::FunctionRef<absl::Status(std::vector<double>& figures)> body);

}  // namespace cairn::bench
