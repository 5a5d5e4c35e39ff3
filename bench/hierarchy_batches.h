// What folding several updates at once saves.
#pragma once

#include "absl/status/status.h"
#include "bench/hierarchy_options.h"

namespace cairn::bench {

// Prints a table: hop and fold of an update when 1, 2, 4 or 8 of them are folded together, for each size, in one
// process and through shared memory, beside the floor, which takes one after the other.
absl::Status MeasureHierarchyBatches(const HierarchyOptions& options);

}  // namespace cairn::bench
