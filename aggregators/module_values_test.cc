#include "aggregators/module_values.h"

#include <gtest/gtest.h>

#include <limits>

#include "aggregators/testing.h"

namespace cairn {
namespace {

using testing::MakeUpdate;

double DenseNorm(const LoraModule& module) {
  double sum = 0;
  for (const double value : kernels::reference::DenseSum({testing::ReferenceOf(module, 1)}).values) {
    sum += value * value;
  }
  return std::sqrt(sum);
}

TEST(NormOfDelta, IsTheDenseNormOfEveryType) {
  for (const DType dtype : {DType::kF32, DType::kF16, DType::kBF16, DType::kF64}) {
    const auto update = MakeUpdate(3, {{"m", 9, 7}}, 4, 3, dtype);
    const LoraModule& module = update.adapter().modules[0];
    const double dense = DenseNorm(module);
    EXPECT_NEAR(*NormOfDelta(module), dense, 1e-13 * dense);
  }
}

TEST(NormOfDelta, OfAGroupedModuleIsThatOfItsGroups) {
  const auto update = MakeUpdate(3, {{"conv", 12, 3}}, 4, 2);
  LoraModule conv = update.adapter().modules[0];  // Two groups of height 3 and rank 2.
  conv.layer = {.kind = Layer::Kind::kConv2d, .height = 2, .width = 2, .groups = 2};
  conv.d_out = 6;
  conv.b.shape = {6, 2};
  const double first = DenseNorm(GroupOf(conv, 0)), second = DenseNorm(GroupOf(conv, 1));
  EXPECT_NEAR(*NormOfDelta(conv), std::sqrt(first * first + second * second), 1e-13);
}

TEST(NormOfDelta, RefusesValuesThatAreNotFinite) {
  const auto update = MakeUpdate(3, {{"m", 3, 2}}, 1, 1, DType::kF32,
                                 [](const ModuleSpec&, std::vector<float>&, std::vector<float>& b) {
                                   b[1] = std::numeric_limits<float>::infinity();
                                 });
  EXPECT_EQ(NormOfDelta(update.adapter().modules[0]).status().code(), absl::StatusCode::kOutOfRange);
}

}  // namespace
}  // namespace cairn
