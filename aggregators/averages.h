// Weighted averages of factors, for the rules that average A and B apart.
#pragma once

#include <cstdint>

#include "absl/types/span.h"
#include "aggregators/aggregator.h"

namespace cairn {

// Sum of the weights of those who have the module: 1 unless some lack it.
double TotalWeight(absl::Span<const WeightedModule> inputs);

// A = (sum of w_i A_i) / W with W = TotalWeight, [rank, d_in]; factors of lower rank are padded with zeros.
FactorPtr AverageA(absl::Span<const WeightedModule> inputs, std::int64_t rank);
// B = (sum of w_i s_i B_i) / total, [d_out, rank]. A client that lacks the module so takes its share away from the
// product once, not once for each factor.
FactorPtr SumB(absl::Span<const WeightedModule> inputs, std::int64_t rank, double total = 1);
// C = (sum of w_i s_i C_i) / total, [rank, rank], of modules with a core.
FactorPtr SumOfCores(absl::Span<const WeightedModule> inputs, std::int64_t rank, double total);

// The highest rank.
std::int64_t WidestRank(absl::Span<const WeightedModule> inputs);

}  // namespace cairn
