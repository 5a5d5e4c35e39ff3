// How fast adapter files are stacked and averaged, and in how much memory, beside a copy of their bytes.
#pragma once

#include <filesystem>

#include "absl/status/status.h"

namespace cairn::bench {

// Prints a table for 10 and 100 adapters of bf16 and float32. `directory` takes up to 8 GB.
absl::Status MeasureFiles(const std::filesystem::path& directory, int repetitions, int threads);

}  // namespace cairn::bench
