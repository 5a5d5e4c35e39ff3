#include "aggregators/stacked.h"

#include <utility>
#include <vector>

namespace cairn {

FactorPtr StackedA(absl::Span<const WeightedModule> inputs) {
  std::vector<ScaledView> views;
  for (const WeightedModule& input : inputs) views.push_back({1, input.module->a});
  return RowsOf(std::move(views));
}

FactorPtr StackedB(absl::Span<const WeightedModule> inputs) {
  std::vector<ScaledView> views;
  for (const auto& [weight, module] : inputs) views.push_back({weight * module->scale, module->b});
  return ColumnsOf(std::move(views));
}

}  // namespace cairn
