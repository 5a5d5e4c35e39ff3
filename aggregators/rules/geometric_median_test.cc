#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "aggregators/column_testing.h"

namespace cairn {
namespace {

using kernels::reference::Column;
using kernels::reference::CombinationOf;
using kernels::reference::Difference;
using kernels::reference::MeanOf;
using kernels::reference::NormOf;
using kernels::reference::RandomColumns;
using kernels::reference::Times;
using ::testing::Each;
using ::testing::HasSubstr;
using testing::ResultOf;
using testing::Weigh;

// Weiszfeld's steps on the vectors themselves.
Column SlowMedian(const std::vector<Column>& updates, double nu, int iterations) {
  Column z = MeanOf(updates);
  for (int i = 0; i < iterations; ++i) {
    std::vector<double> weights;
    double sum = 0;
    for (const Column& x : updates) {
      weights.push_back(1 / std::max(nu, NormOf(Difference(x, z))));
      sum += weights.back();
    }
    z = Times(1 / sum, CombinationOf(updates, weights));
  }
  return z;
}

TEST(GeometricMedian, TakesTheStepsOfWeiszfeld) {
  const std::vector<Column> updates = RandomColumns(1, 7, 20);
  for (const int iterations : {1, 3, 10}) {
    const std::string rule = "geometric_median:nu=0.01,iterations=" + std::to_string(iterations);
    const Column slow = SlowMedian(updates, 0.01, iterations), fast = ResultOf(rule, {updates});
    EXPECT_LE(NormOf(Difference(slow, fast)), 1e-14);
  }
}

TEST(GeometricMedian, StopsWhereNoDirectionIsDownhill) {
  const std::vector<Column> updates = RandomColumns(2, 9, 15);
  const Column z = ResultOf("geometric_median:nu=1e-9", {updates});
  Column slope(15);
  for (const Column& x : updates) {
    const Column away = Difference(z, x);
    slope = Difference(slope, Times(1 / NormOf(away), away));
  }
  EXPECT_LE(NormOf(slope), 1e-10);
}

// A minority, however far: the median moves by about as much as the others are apart.
TEST(GeometricMedian, AFarMinorityDoesNotMatterMuch) {
  const std::vector<Column> near = RandomColumns(3, 9, 15);
  const Column without = ResultOf("geometric_median", {{near.begin(), near.begin() + 5}});
  for (const double far : {1e3, 1e9, 1e15, 1e30, 1e100}) {
    std::vector<Column> updates = near;
    for (std::size_t i = 5; i < 9; ++i) updates[i] = Times(far, updates[i]);
    EXPECT_LE(NormOf(Difference(ResultOf("geometric_median", {updates}), without)), 20) << far;
    EXPECT_GE(NormOf(MeanOf(updates)), 0.1 * far);
  }
}

TEST(GeometricMedian, ANuBeyondAllDistancesMakesItTheMean) {
  const auto output = Weigh("geometric_median:nu=0.1", {RandomColumns(4, 8, 10, 1e-3)});
  EXPECT_THAT(output->weights, Each(1.0 / 8));
}

TEST(GeometricMedian, OfCollinearUpdatesIsTheMiddleOne) {
  const Column x = {1, -2, 0.5};
  const std::vector<Column> updates = {x, Times(2, x), Times(7, x), Times(-40, x), Times(3, x)};
  EXPECT_LE(NormOf(Difference(ResultOf("geometric_median:nu=1e-6", {updates}), updates[1])), 1e-3);
}

TEST(GeometricMedian, RefusesOptionsBeyondTheirRange) {
  for (const char* rule : {"geometric_median:nu=0", "geometric_median:iterations=-1", "geometric_median:tau=1"}) {
    EXPECT_EQ(MakeRule(rule).status().code(), absl::StatusCode::kInvalidArgument) << rule;
  }
  EXPECT_THAT(std::string(MakeRule("geometric_median:nu=-1").status().message()),
              HasSubstr("nu: expected a number from 1e-300 to 1e+300, got \"-1\""));
}

}  // namespace
}  // namespace cairn
