// A = [A_1; A_2; ...], B = [c_1 B_1, c_2 B_2, ...] with c_i = w_i s_i: then B A = sum of c_i B_i A_i, exactly.
#pragma once

#include "absl/types/span.h"
#include "aggregators/aggregator.h"

namespace cairn {

FactorPtr StackedA(absl::Span<const WeightedModule> inputs);  // [sum of ranks, d_in]
FactorPtr StackedB(absl::Span<const WeightedModule> inputs);  // [d_out, sum of ranks]

}  // namespace cairn
