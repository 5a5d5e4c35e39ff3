#include "aggregators/stacked.h"

#include <cmath>
#include <cstdlib>
#include <utility>
#include <vector>

namespace cairn {

namespace {

constexpr int kModest = 64;  // Bits.

// What of a coefficient stands on A, a power of 2: 1, unless B alone might overflow or vanish with it. A rule may weigh
// a tiny update by a huge number.
double ShareOfA(const WeightedModule& input) {
  int exponent = 0;
  std::frexp(input.weight * input.module->scale, &exponent);
  return std::abs(exponent) <= kModest ? 1 : std::ldexp(1.0, exponent / 2);
}

}  // namespace

FactorPtr StackedA(absl::Span<const WeightedModule> inputs) {
  std::vector<ScaledView> views;
  for (const WeightedModule& input : inputs) views.push_back({ShareOfA(input), input.module->a});
  return RowsOf(std::move(views));
}

FactorPtr StackedB(absl::Span<const WeightedModule> inputs) {
  std::vector<ScaledView> views;
  for (const WeightedModule& input : inputs) {
    views.push_back({input.weight * input.module->scale / ShareOfA(input), input.module->b});
  }
  return ColumnsOf(std::move(views));
}

}  // namespace cairn
