#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "aggregators/column_testing.h"

namespace cairn {
namespace {

using kernels::reference::Column;
using kernels::reference::Difference;
using kernels::reference::MeanOf;
using kernels::reference::NormOf;
using kernels::reference::RandomColumns;
using kernels::reference::Times;
using testing::ResultOf;
using testing::Sent;
using testing::Weigh;

// The steps on the vectors themselves.
Column SlowClipping(const std::vector<Column>& updates, Column v, double tau, int iterations) {
  for (int i = 0; i < iterations; ++i) {
    Column steps(v.size());
    for (const Column& x : updates) {
      const Column away = Difference(x, v);
      steps = Difference(steps, Times(-std::min(1.0, tau / NormOf(away)), away));
    }
    v = Difference(v, Times(-1.0 / static_cast<double>(updates.size()), steps));
  }
  return v;
}

std::string RuleOf(double tau, int iterations) {
  return "centered_clipping:tau=" + std::to_string(tau) + ",iterations=" + std::to_string(iterations);
}

TEST(CenteredClipping, TakesTheStepsThatItSays) {
  const std::vector<Column> updates = RandomColumns(1, 6, 12);
  const Column last = RandomColumns(2, 1, 12)[0];
  for (const double tau : {0.5, 2.0, 2.5, 100.0}) {
    for (const int iterations : {1, 2, 5}) {
      const Column from_last = ResultOf(RuleOf(tau, iterations), {.updates = updates, .last = last});
      EXPECT_LE(NormOf(Difference(from_last, SlowClipping(updates, last, tau, iterations))), 1e-14);
      const Column from_zero = ResultOf(RuleOf(tau, iterations), {updates});
      EXPECT_LE(NormOf(Difference(from_zero, SlowClipping(updates, Column(12), tau, iterations))), 1e-14);
    }
  }
}

TEST(CenteredClipping, WeightsOfUpdatesAndOfTheLastResultAreSharesOfOne) {
  const Sent sent{.updates = RandomColumns(3, 5, 8), .last = RandomColumns(4, 1, 8)[0]};
  const auto output = Weigh("centered_clipping:tau=0.7,iterations=3", sent);
  ASSERT_EQ(output->weights.size(), 6u);
  for (const double weight : output->weights) EXPECT_GT(weight, 0);
  EXPECT_NEAR(std::accumulate(output->weights.begin(), output->weights.end(), 0.0), 1, 1e-15);
  EXPECT_TRUE((*MakeRule("centered_clipping"))->any_weights());
}

TEST(CenteredClipping, WithARadiusBeyondAllIsTheMean) {
  const Sent sent{.updates = RandomColumns(5, 5, 8), .last = RandomColumns(6, 1, 8)[0]};
  EXPECT_LE(NormOf(Difference(ResultOf("centered_clipping", sent), MeanOf(sent.updates))), 1e-15);
}

TEST(CenteredClipping, NoUpdateMovesTheResultByMoreThanItsShareOfTheRadius) {
  std::vector<Column> updates = RandomColumns(7, 10, 8, 0.1);
  const Column honest = ResultOf("centered_clipping:tau=1", {updates});
  updates[3] = Times(1e30, updates[3]);
  EXPECT_LE(NormOf(Difference(ResultOf("centered_clipping:tau=1", {updates}), honest)), 2 * 1.0 / 10);
}

TEST(CenteredClipping, StaysWhereAllUpdatesAreWhatTheLastRoundGave) {
  const Column x = RandomColumns(8, 1, 8)[0];
  const Column y = ResultOf("centered_clipping:tau=1e-9,iterations=7", {.updates = {x, x, x}, .last = x});
  EXPECT_LE(NormOf(Difference(x, y)), 1e-15);
}

TEST(CenteredClipping, RefusesOptionsBeyondTheirRange) {
  for (const char* rule : {"centered_clipping:tau=0", "centered_clipping:iterations=0", "centered_clipping:nu=1"}) {
    EXPECT_EQ(MakeRule(rule).status().code(), absl::StatusCode::kInvalidArgument) << rule;
  }
}

}  // namespace
}  // namespace cairn
