// How far a published module is from the exact weighted sum, and clients from each other: from the factors, in float64
// (kernels/product.h).
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "aggregators/aggregator.h"
#include "aggregators/combined.h"

namespace cairn {

// Of `published` from dW* = sum of w_i s_i B_i A_i, from their inner products: relative errors below about 1e-7 are
// lost in rounding, as they are in float32. Time (d_in + d_out) R^2 and memory (d_in + d_out) R for R = the sum of all
// ranks.
absl::StatusOr<Deviation> DeviationOf(const CombinedModule& published, absl::Span<const WeightedModule> inputs);

// Frobenius inner products <dW_i, dW_j> summed over all modules, by client in order of `updates`; of adapters without
// modules, of their floating-point tensors.
absl::StatusOr<std::vector<std::vector<double>>> GramOf(const std::map<std::string, ClientUpdate>& updates);

}  // namespace cairn
