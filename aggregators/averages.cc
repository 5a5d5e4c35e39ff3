#include "aggregators/averages.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace cairn {

double TotalWeight(absl::Span<const WeightedModule> inputs) {
  double total = 0;
  for (const WeightedModule& input : inputs) total += input.weight;
  return total;
}

FactorPtr AverageA(absl::Span<const WeightedModule> inputs, std::int64_t rank) {
  const double total = TotalWeight(inputs);
  std::vector<ScaledView> views;
  for (const auto& [weight, module] : inputs) views.push_back({weight / total, module->a});
  return SumOf(std::move(views), rank, inputs[0].module->d_in);
}

FactorPtr SumB(absl::Span<const WeightedModule> inputs, std::int64_t rank) {
  std::vector<ScaledView> views;
  for (const auto& [weight, module] : inputs) views.push_back({weight * module->scale, module->b});
  return SumOf(std::move(views), inputs[0].module->d_out, rank);
}

std::int64_t WidestRank(absl::Span<const WeightedModule> inputs) {
  std::int64_t rank = 0;
  for (const WeightedModule& input : inputs) rank = std::max(rank, input.module->rank);
  return rank;
}

}  // namespace cairn
