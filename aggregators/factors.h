// Between adapter files and kernels: reads factors of any dtype as float32 blocks and combines them.
#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/functional/function_ref.h"
#include "absl/types/span.h"
#include "adapter/safetensors.h"
#include "aggregators/aggregator.h"

namespace cairn {

// Walks a factor once, front to back, as float32 blocks that stay in the first-level cache. Every block holds a whole
// number of `row`s (elements) and is at least one; `first` is its first element's index in the factor.
void ForEachBlock(const TensorView& factor, std::int64_t row,
                  absl::FunctionRef<void(std::size_t first, absl::Span<const float> block)> visit);

// A = [A_1; A_2; ...], B = [c_1 B_1, c_2 B_2, ...] with c_i = p_i s_i: then B A = sum of c_i B_i A_i. The coefficient
// is on one factor only: on both it would count twice. out.rank is the sum of the ranks.
void StackFactors(absl::Span<const WeightedModule> inputs, CombinedModule& out);

// A = sum of p_i A_i, B = sum of p_i s_i B_i, accumulated in float64. Ranks below out.rank are padded with zeros.
void AverageFactors(absl::Span<const WeightedModule> inputs, CombinedModule& out);

}  // namespace cairn
