#include "aggregators/deviation.h"

#include <gtest/gtest.h>

#include <cmath>

#include "aggregators/kernels/reference_lowrank.h"
#include "aggregators/testing.h"

namespace cairn {
namespace {

namespace reference = kernels::reference;
using reference::Matrix;
using testing::InMemoryUpdate;
using testing::MakeUpdate;

const std::vector<ModuleSpec> kModules = {{"m", 40, 30, {}}};

Matrix Dense(const CombinedModule& module) {
  return reference::Product({module.spec.d_out, module.rank, ReadAllDouble(*module.b)},
                            {module.rank, module.spec.d_in, ReadAllDouble(*module.a)});
}

// Clients of weight 1/2 each.
class DeviationTest : public ::testing::Test {
 protected:
  void Add(InMemoryUpdate update) {
    updates_.push_back(std::move(update));
    inputs_.clear();
    for (const InMemoryUpdate& each : updates_) inputs_.push_back({0.5, &each.adapter().modules[0]});
  }
  Matrix Exact() const {
    std::vector<reference::Update> all;
    for (const WeightedModule& input : inputs_) all.push_back(testing::ReferenceOf(*input.module, input.weight));
    return reference::DenseSum(all);
  }
  static CombinedModule Published(std::int64_t rank, std::vector<double> a, std::vector<double> b) {
    return {.spec = kModules[0],
            .rank = rank,
            .a = ValuesOf(std::move(a), rank, kModules[0].d_in),
            .b = ValuesOf(std::move(b), kModules[0].d_out, rank)};
  }
  void ExpectDense(const CombinedModule& published, double tolerance) const {
    const auto deviation = DeviationOf(published, inputs_, 2);
    ASSERT_TRUE(deviation.ok()) << deviation.status();
    const double norm = reference::NormOf(Exact());
    const double error = reference::NormOf(reference::Difference(Dense(published), Exact()));
    EXPECT_NEAR(deviation->relative(), error / norm, tolerance * error / norm);
    EXPECT_NEAR(std::sqrt(deviation->norm_squared), norm, tolerance * norm);
  }

  std::vector<InMemoryUpdate> updates_;
  std::vector<WeightedModule> inputs_;
};

TEST_F(DeviationTest, IsTheDenseOne) {
  Add(MakeUpdate(1, kModules, 3, 6));
  Add(MakeUpdate(2, kModules, 2, 1));
  ExpectDense(Published(2, reference::RandomMatrix(3, 2, 40).values, reference::RandomMatrix(4, 30, 2).values), 1e-12);
}

TEST_F(DeviationTest, OfMoreUnitsThanDimensions) {
  Add(MakeUpdate(1, kModules, 30, 6));
  Add(MakeUpdate(2, kModules, 25, 1));
  ExpectDense(Published(9, reference::RandomMatrix(3, 9, 40).values, reference::RandomMatrix(4, 30, 9).values), 1e-12);
}

// Two clients that nearly undo each other: what is left is 1e-6 of either, and its square 1e-12.
TEST_F(DeviationTest, CancellationLosesNothing) {
  const auto opposite = [](float difference) {
    return [=](const ModuleSpec&, std::vector<float>&, std::vector<float>& b) {
      for (float& value : b) value *= -1;
      b[0] += difference;
    };
  };
  Add(MakeUpdate(1, kModules, 3, 6));
  Add(MakeUpdate(1, kModules, 3, 6, DType::kF32, opposite(0x1p-20F)));
  ExpectDense(Published(1, std::vector<double>(40, 1e-8), std::vector<double>(30, 1)), 1e-6);
  ExpectDense(Published(1, std::vector<double>(40, 0), std::vector<double>(30, 0)), 1e-6);
}

// And a result that is right to the last digits.
TEST_F(DeviationTest, OfATinyErrorIsNeitherZeroNorNoise) {
  Add(MakeUpdate(1, kModules, 3, 3));
  Add(MakeUpdate(1, kModules, 3, 3));
  std::vector<double> a = ReadAllDouble(*RowsOf({{1, inputs_[0].module->a}}));
  std::vector<double> b = ReadAllDouble(*RowsOf({{1, inputs_[0].module->b}}));
  ExpectDense(Published(3, a, b), 1e-6);
  b[7] += 1e-9;
  ExpectDense(Published(3, a, b), 1e-5);
}

TEST_F(DeviationTest, NothingToDeviateFrom) {
  const auto zero = [](const ModuleSpec&, std::vector<float>&, std::vector<float>& b) { b.assign(b.size(), 0); };
  Add(MakeUpdate(1, kModules, 3, 6, DType::kF32, zero));
  EXPECT_EQ(DeviationOf(Published(1, std::vector<double>(40, 1), std::vector<double>(30, 0)), inputs_, 1)->relative(),
            0);
}

TEST_F(DeviationTest, ACoreIsPartOfTheUpdate) {
  Add(MakeUpdate(1, kModules, 2, 2));
  const std::vector<float> values = {0.5, 2, -1, 3};
  LoraModule module = *inputs_[0].module;
  module.core = TensorView{
      .name = "core", .shape = {2, 2}, .data = {reinterpret_cast<const char*>(values.data()), 4 * sizeof(float)}};
  const reference::Update plain = testing::ReferenceOf(module, 1);
  const Matrix mixed = reference::Product(plain.b, {2, 2, {values.begin(), values.end()}});
  const auto deviation = DeviationOf(Published(2, plain.a.values, mixed.values), {{{1, &module}}}, 1);
  ASSERT_TRUE(deviation.ok()) << deviation.status();
  EXPECT_LT(deviation->relative(), 1e-15);
  EXPECT_GT(deviation->norm_squared, 1);
}

}  // namespace
}  // namespace cairn
