// How fast updates are taken in, beside what gRPC and memcpy can do.
#pragma once

#include <filesystem>

#include "absl/status/status.h"

namespace cairn::bench {

// Prints one table for each number of concurrent uploads. `directory` takes the servers' data.
absl::Status MeasureSpeed(const std::filesystem::path& directory, int repetitions);

// The same for sinks that do more and more of what the gateway does to every byte: where its time goes.
absl::Status MeasureSteps(const std::filesystem::path& directory, int repetitions);

}  // namespace cairn::bench
