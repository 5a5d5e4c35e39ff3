#include "aggregators/module_values.h"

#include <gtest/gtest.h>

#include <limits>

#include "aggregators/testing.h"

namespace cairn {
namespace {

using testing::MakeUpdate;

double DenseNorm(const LoraModule& module) {
  double sum = 0;
  for (const double value : kernels::reference::DenseSum({testing::ReferenceOf(module, 1 / module.scale)}).values) {
    sum += value * value;
  }
  return std::sqrt(sum);
}

TEST(NormOfProduct, IsTheDenseNormOfEveryType) {
  for (const DType dtype : {DType::kF32, DType::kF16, DType::kBF16, DType::kF64}) {
    const auto update = MakeUpdate(3, {{"m", 9, 7}}, 4, 3, dtype);
    const LoraModule& module = update.adapter().modules[0];
    const double dense = DenseNorm(module);
    EXPECT_NEAR(*NormOfProduct(module), dense, 1e-13 * dense);
  }
}

TEST(NormOfProduct, OfAGroupedModuleIsThatOfItsGroups) {
  const auto update = MakeUpdate(3, {{"conv", 12, 3}}, 4, 2);
  LoraModule conv = update.adapter().modules[0];  // Two groups of height 3 and rank 2.
  conv.layer = {.kind = Layer::Kind::kConv2d, .height = 2, .width = 2, .groups = 2};
  conv.d_out = 6;
  conv.b.shape = {6, 2};
  const double first = DenseNorm(GroupOf(conv, 0)), second = DenseNorm(GroupOf(conv, 1));
  EXPECT_NEAR(*NormOfProduct(conv), std::sqrt(first * first + second * second), 1e-13);
}

TEST(NormOfProduct, PutsTheCoreBetween) {
  const std::vector<float> a = {3, 4, 0, 0}, b = {1, 0}, core = {0, 2, 7, 0};
  const auto view = [](const std::vector<float>& values, std::int64_t rows, std::int64_t columns) {
    return TensorView{.dtype = DType::kF32,
                      .shape = {rows, columns},
                      .data = {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)}};
  };
  LoraModule module{.d_in = 2, .d_out = 1, .rank = 2, .a = view(a, 2, 2), .b = view(b, 1, 2), .core = view(core, 2, 2)};
  EXPECT_EQ(*NormOfProduct(module), 0);  // Row 0 of the core takes row 1 of A, which is zero.
  const std::vector<float> other = {0, 1};
  module.b = view(other, 1, 2);
  EXPECT_DOUBLE_EQ(*NormOfProduct(module), 35);  // 7 times (3, 4).
}

TEST(NormOfProduct, RefusesValuesThatAreNotFinite) {
  const auto update = MakeUpdate(3, {{"m", 3, 2}}, 1, 1, DType::kF32,
                                 [](const ModuleSpec&, std::vector<float>&, std::vector<float>& b) {
                                   b[1] = std::numeric_limits<float>::infinity();
                                 });
  EXPECT_EQ(NormOfProduct(update.adapter().modules[0]).status().code(), absl::StatusCode::kOutOfRange);
}

}  // namespace
}  // namespace cairn
