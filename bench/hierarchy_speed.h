// Every design beside the floor, size by size.
#pragma once

#include "absl/status/status.h"
#include "bench/hierarchy_options.h"

namespace cairn::bench {

// Prints a table for each size, then the hand-off of the shared designs for all sizes, then whether the goals hold.
absl::Status MeasureHierarchySpeed(const HierarchyOptions& options);

}  // namespace cairn::bench
