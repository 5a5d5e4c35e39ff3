#include "aggregators/totals.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>

#include "absl/numeric/int128.h"
#include "aggregators/aggregator.h"

namespace cairn {

double TotalOf(absl::Span<const double> weights) {
  const auto whole = [](double weight) {
    return weight >= 0 && weight <= kExamplesMax && std::floor(weight) == weight;
  };
  if (!std::all_of(weights.begin(), weights.end(), whole)) return std::accumulate(weights.begin(), weights.end(), 0.0);
  absl::uint128 total = 0;
  for (const double weight : weights) total += static_cast<std::uint64_t>(weight);
  return static_cast<double>(total);
}

}  // namespace cairn
