#include "aggregators/kernels/ridge.h"

#include <gtest/gtest.h>

#include "aggregators/kernels/reference_lowrank.h"

namespace cairn::kernels {
namespace {

using reference::Factors;
using reference::Matrix;
using reference::PairOf;

double Objective(const Matrix& target, const Factors& start, const Matrix& b, double lambda) {
  const double distance = reference::NormOf(reference::Difference(target, reference::Product(b, start.a)));
  const double moved = reference::NormOf(reference::Difference(b, start.b));
  return distance * distance + lambda * moved * moved;
}

TEST(NearestB, NoOtherBIsBetter) {
  const Factors x = reference::RandomFactors(1, 6, 3, 7), y = reference::RandomFactors(2, 6, 2, 7);
  const Factors start = reference::RandomFactors(3, 6, 2, 7);
  const Matrix target = reference::DenseSum(
      {{.weight = 1, .scale = 0.5, .a = x.a, .b = x.b}, {.weight = 1, .scale = -2, .a = y.a, .b = y.b}});
  for (const double lambda : {1e-6, 0.01, 1.0}) {
    const auto result = NearestB({{0.5, PairOf(x)}, {-2, PairOf(y)}}, PairOf(start), lambda);
    ASSERT_TRUE(result.ok()) << result.status();
    Matrix b{6, 2, *result};
    const double best = Objective(target, start, b, lambda);
    EXPECT_LT(best, Objective(target, start, start.b, lambda));
    for (double& value : b.values) {
      for (const double step : {1e-4, -1e-4}) {
        value += step;
        EXPECT_GT(Objective(target, start, b, lambda), best);
        value -= step;
      }
    }
  }
}

TEST(NearestB, ReachesWhatAReaches) {
  const Factors x = reference::RandomFactors(1, 6, 3, 7);
  const Factors start{x.a, Matrix::Zero(6, 3)};
  const auto result = NearestB({{1, PairOf(x)}}, PairOf(start), 1e-12);
  ASSERT_TRUE(result.ok());
  EXPECT_LE(reference::MaxDifference({6, 3, *result}, x.b), 1e-11);
}

TEST(NearestB, StaysFiniteWhereAIsSingular) {
  Factors start = reference::RandomFactors(1, 4, 3, 5);
  for (std::int64_t j = 0; j < 5; ++j) {
    start.a.at(1, j) = 1e8 * start.a.at(0, j);
    start.a.at(2, j) = 0;
  }
  const Factors target = reference::RandomFactors(2, 4, 2, 5);
  const auto result = NearestB({{1, PairOf(target)}}, PairOf(start), 0.01);
  ASSERT_TRUE(result.ok());
  EXPECT_LE(reference::MaxAbs({4, 3, *result}), 10);
}

TEST(NearestB, RefusesOtherDimensions) {
  const Factors start = reference::RandomFactors(1, 4, 3, 5), other = reference::RandomFactors(1, 4, 3, 6);
  EXPECT_EQ(NearestB({{1, PairOf(other)}}, PairOf(start), 1).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace cairn::kernels
