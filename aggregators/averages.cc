#include "aggregators/averages.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "aggregators/sum_blocks.h"
#include "aggregators/totals.h"

namespace cairn {

double TotalWeight(absl::Span<const WeightedModule> inputs) {
  std::vector<double> weights;
  for (const WeightedModule& input : inputs) weights.push_back(input.weight);
  return TotalOf(weights);
}

FactorPtr AverageA(absl::Span<const WeightedModule> inputs, std::int64_t rank) {
  const std::int64_t columns = inputs[0].module->d_in;
  std::vector<ScaledView> views;
  for (const auto& [weight, module] : inputs) views.push_back({weight, module->a});
  return QuotientOf(std::move(views), {rank, columns, TotalWeight(inputs), SumBlockRows(columns)});
}

FactorPtr SumB(absl::Span<const WeightedModule> inputs, std::int64_t rank, double total) {
  std::vector<ScaledView> views;
  for (const auto& [weight, module] : inputs) views.push_back({weight * module->scale, module->b});
  return QuotientOf(std::move(views), {inputs[0].module->d_out, rank, total, kSumBlockRowsOfB});
}

FactorPtr SumOfCores(absl::Span<const WeightedModule> inputs, std::int64_t rank, double total) {
  std::vector<ScaledView> views;
  for (const auto& [weight, module] : inputs) views.push_back({weight * module->scale, *module->core});
  return QuotientOf(std::move(views), {rank, rank, total, kSumBlockRowsOfB});
}

std::int64_t WidestRank(absl::Span<const WeightedModule> inputs) {
  std::int64_t rank = 0;
  for (const WeightedModule& input : inputs) rank = std::max(rank, input.module->rank);
  return rank;
}

}  // namespace cairn
