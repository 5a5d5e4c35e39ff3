// The part of a Gram matrix that LoRA modules add.
#pragma once

#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "adapter/lora.h"
#include "aggregators/gram.h"
#include "aggregators/gram_sums.h"

namespace cairn {

// Adds the inner products of the columns' deltas dW to `gram`: a term for each of `modules`. A module that a column
// lacks counts as zero. A column gets NaN on the diagonal, and nothing else of that module, where a value of it
// is not finite, its norm is more than float64 holds, or, of strict columns, its factors cancel. CANCELLED:
// InterruptGuard. GramOptions::after_read's error; else the library's.
absl::Status AddModuleProducts(absl::Span<const Adapter* const> columns, const std::vector<ModuleSpec>& modules,
                               const GramOptions& options, GramSums& gram);

}  // namespace cairn
