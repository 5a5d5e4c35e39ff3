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
using kernels::reference::InnerProduct;
using kernels::reference::NormOf;
using kernels::reference::RandomColumns;
using kernels::reference::Times;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::Sent;
using testing::Weigh;

// The paper's loops, on the sums of the vectors.
std::vector<double> SlowWeights(const Sent& sent) {
  const std::size_t n = sent.updates.size();
  std::vector<Column> sums = sent.updates;
  for (std::size_t i = 0; i < n; ++i) sums[i] = Difference(sums[i], Times(-1, sent.history[i]));
  std::vector<std::vector<double>> cs(n, std::vector<double>(n));
  std::vector<double> v(n, -1), alpha(n);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < n; ++j) {
      cs[i][j] = InnerProduct(sums[i], sums[j]) / NormOf(sums[i]) / NormOf(sums[j]);
      if (i != j) v[i] = std::max(v[i], cs[i][j]);
    }
  }
  for (std::size_t i = 0; i < n; ++i) {
    double largest = -1e300;
    for (std::size_t j = 0; j < n; ++j) {
      if (i != j) largest = std::max(largest, v[j] > v[i] ? cs[i][j] * v[i] / v[j] : cs[i][j]);
    }
    alpha[i] = std::min(1.0, std::max(0.0, 1 - largest));
  }
  const double best = *std::max_element(alpha.begin(), alpha.end());
  double sum = 0;
  for (double& a : alpha) {
    a = a == best ? 0.99 : a / best;
    a = std::min(1.0, std::max(0.0, std::log(a / (1 - a)) + 0.5));
    sum += a;
  }
  for (double& a : alpha) a /= sum;
  return alpha;
}

// Four clients of their own and three that are nearly one, in this round and the ones before.
Sent WithSybils(double apart) {
  Sent sent{.updates = RandomColumns(1, 7, 30), .history = RandomColumns(2, 7, 30, 3)};
  const std::vector<Column> noise = RandomColumns(3, 14, 30, apart);
  for (std::size_t i = 5; i < 7; ++i) {
    sent.updates[i] = Difference(sent.updates[4], noise[i]);
    sent.history[i] = Difference(sent.history[4], noise[7 + i]);
  }
  return sent;
}

TEST(FoolsGold, GivesTheWeightsOfThePapersLoops) {
  for (const double apart : {0.1, 1.0, 3.0}) {
    const Sent sent = WithSybils(apart);
    const auto output = Weigh("foolsgold", sent);
    ASSERT_TRUE(output.ok()) << output.status();
    const std::vector<double> slow = SlowWeights(sent);
    for (std::size_t i = 0; i < 7; ++i) EXPECT_NEAR(output->weights[i], slow[i], 1e-12);
  }
}

TEST(FoolsGold, ClientsOfOneMindDoNotCount) {
  const auto output = Weigh("foolsgold", WithSybils(0.1));
  for (std::size_t i = 0; i < 4; ++i) EXPECT_GT(output->weights[i], 0.1) << i;
  for (std::size_t i = 4; i < 7; ++i) {
    EXPECT_EQ(output->weights[i], 0);
    EXPECT_THAT(output->reasons[i], HasSubstr("point the same way as another client's (cosine 0.9"));
  }
  EXPECT_EQ(output->weights.size(), 14u) << "what was sent before has a weight, of 0";
  EXPECT_NEAR(std::accumulate(output->weights.begin(), output->weights.end(), 0.0), 1, 1e-15);
}

// In this round two clients agree; over all rounds they do not.
TEST(FoolsGold, WhatWasSentBeforeCounts) {
  Sent sent{.updates = RandomColumns(4, 4, 30), .history = RandomColumns(5, 4, 30, 10)};
  sent.updates[1] = sent.updates[0];
  EXPECT_GT(Weigh("foolsgold", sent)->weights[1], 0.1);
  sent.history.clear();
  EXPECT_EQ(Weigh("foolsgold", sent)->weights[1], 0);
}

TEST(FoolsGold, NobodyCountsWhereAllAreOne) {
  // Lengths that are no powers of 2, so that cosines are rounded: some are a little below 1.
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    const Column x = RandomColumns(seed, 1, 100)[0];
    EXPECT_THAT(Weigh("foolsgold", {{x, Times(1.1, x), Times(0.7, x)}})->weights, Each(0.0));
  }
}

TEST(FoolsGold, OneClientCountsWhole) { EXPECT_THAT(Weigh("foolsgold", {{{1, 2}}})->weights, ElementsAre(1, 0)); }

TEST(FoolsGold, ClientsAtRightAnglesCountTheSame) {
  const auto output = Weigh("foolsgold", {{{1, 0, 0}, {0, 5, 0}, {0, 0, 1e20}}});
  EXPECT_THAT(output->weights, ElementsAre(1.0 / 3, 1.0 / 3, 1.0 / 3, 0, 0, 0));
}

}  // namespace
}  // namespace cairn
