// How far a published module is from the exact weighted sum: from the factors, read a few rows at a time, in float64
// (kernels/streamed_product.h).
#pragma once

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "aggregators/aggregator.h"
#include "aggregators/combined.h"

namespace cairn {

// Of `published` from dW* = sum of w_i s_i B_i A_i. Correct to 5 digits however small the difference is. Time
// (d_in + d_out) R^2 for R = the sum of all ranks, and d_in d_out R where R is larger than the module, or where what is
// left is less than 1e-5 of what cancelled. Factors are read on `threads` threads.
// OUT_OF_RANGE when a value is not finite (Aggregator::Report then finds out whose it is).
absl::StatusOr<Deviation> DeviationOf(const CombinedModule& published, absl::Span<const WeightedModule> inputs,
                                      int threads);

}  // namespace cairn
