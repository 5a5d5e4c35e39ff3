// The part of a Gram matrix that tensors without factors add.
#pragma once

#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "adapter/lora.h"
#include "aggregators/gram.h"
#include "aggregators/kernels/small_matrix.h"

namespace cairn {

// Adds the inner products of `tensors` of the columns, times both tensors' scales, to `gram` [columns, columns]. What a
// column lacks, or has in a type that is no float, counts as zero. The same bits for every number of threads.
// CANCELLED: InterruptGuard.
absl::Status AddTensorProducts(absl::Span<const Adapter* const> columns, const std::vector<TensorSpec>& tensors,
                               const GramOptions& options, kernels::SmallMatrix& gram);

}  // namespace cairn
