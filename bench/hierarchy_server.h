// The same way through a real `cairn serve` with workers: memory against the number of clients, and each step's time.
#pragma once

#include "absl/status/status.h"
#include "bench/hierarchy_options.h"

namespace cairn::bench {

// Prints tables for each size of options.server_megabytes and each durability. INTERNAL when the published bytes depend
// on the durability or on whether there are workers.
absl::Status MeasureHierarchyServer(const HierarchyOptions& options);

}  // namespace cairn::bench
