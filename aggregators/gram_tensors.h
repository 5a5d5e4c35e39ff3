// The part of a Gram matrix that tensors without factors add.
#pragma once

#include <cstddef>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "adapter/lora.h"
#include "aggregators/gram.h"
#include "aggregators/gram_sums.h"

namespace cairn {

// Adds the inner products of the columns' `tensors`, times both tensors' scales, to `gram`: a term for each tensor.
// What a column lacks, or has in a type that is no float, counts as zero. The same bits for every number of threads.
// CANCELLED: InterruptGuard.
absl::Status AddTensorProducts(absl::Span<const Adapter* const> columns, const std::vector<TensorSpec>& tensors,
                               const GramOptions& options, GramSums& gram);

// How many chunks of tensors are multiplied at a time: 1 to 64, so that their sums over all pairs of columns take 1
// GiB, or those of one chunk where that is more (some 4000 columns).
std::size_t GramChunksAtATime(std::size_t columns);

}  // namespace cairn
