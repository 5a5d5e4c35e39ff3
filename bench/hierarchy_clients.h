// Many updates in a row: time and memory against the number of clients.
#pragma once

#include "absl/status/status.h"
#include "bench/hierarchy_options.h"

namespace cairn::bench {

// Prints a table: shared memory and gRPC, for each size and number of clients. Updates are folded as they come and let
// go of, so memory should not grow.
absl::Status MeasureHierarchyClients(const HierarchyOptions& options);

}  // namespace cairn::bench
