// The server's peak memory while many clients upload more than its budget, and while it aggregates them.
#pragma once

#include <filesystem>

#include "absl/status/status.h"

namespace cairn::bench {

// Prints a table. RESOURCE_EXHAUSTED when a peak is beyond the budget. `directory` takes the servers' data, up to
// 9 GB at a time.
absl::Status MeasureMemory(const std::filesystem::path& directory);

}  // namespace cairn::bench
