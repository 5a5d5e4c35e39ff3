// How fast stacks are compressed to rank 16, and how well, beside libtorch's QR and SVD.
#pragma once

#include <string>

#include "absl/status/status.h"

namespace cairn::bench {

// Prints a table for stacks of rank 160 and 1600, all 64 modules of a Llama-7B federation on `device`.
absl::Status MeasureRecompress(const std::string& device);

}  // namespace cairn::bench
