#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "aggregators/column_testing.h"
#include "aggregators/kernels/reference_eigen.h"
#include "aggregators/rule_testing.h"
#include "base/limits.h"

namespace cairn {
namespace {

using kernels::reference::Column;
using kernels::reference::Difference;
using kernels::reference::InnerProduct;
using kernels::reference::MeanOf;
using kernels::reference::RandomColumns;
using kernels::reference::Times;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::RefusalOf;
using testing::Weigh;

// <x_i - mean, v>^2 with v from the covariance of the coordinates.
std::vector<double> SlowScores(const std::vector<Column>& updates) {
  const std::size_t length = updates[0].size();
  const Column mean = MeanOf(updates);
  kernels::SmallMatrix covariance = kernels::SmallMatrix::Zero(length, length);
  for (const Column& x : updates) {
    const Column away = Difference(x, mean);
    for (std::size_t i = 0; i < length; ++i) {
      for (std::size_t j = 0; j < length; ++j) covariance.at(i, j) += away[i] * away[j];
    }
  }
  const Column v = kernels::reference::EigenPairs(covariance)[0].vector;
  std::vector<double> scores;
  for (const Column& x : updates) scores.push_back(std::pow(InnerProduct(Difference(x, mean), v), 2));
  return scores;
}

TEST(DivideAndConquer, RemovesTheHighestScores) {
  for (const std::uint64_t seed : {1, 2, 3, 4}) {
    const std::vector<Column> updates = RandomColumns(seed, 9, 14);
    const std::vector<double> scores = SlowScores(updates);
    const auto output = Weigh("dnc:f=3", {updates});
    ASSERT_TRUE(output.ok()) << output.status();
    for (std::size_t i = 0; i < 9; ++i) {
      const auto higher = std::count_if(scores.begin(), scores.end(), [&](double s) { return s > scores[i]; });
      EXPECT_EQ(output->weights[i], higher < 3 ? 0 : 1.0 / 6) << "seed " << seed << ", client " << i;
      EXPECT_EQ(output->reasons[i].empty(), higher >= 3);
    }
  }
}

TEST(DivideAndConquer, SaysHowFarOutTheRemovedAre) {
  std::vector<Column> updates = RandomColumns(5, 8, 14);
  updates[2] = Times(100, updates[2]);
  const auto output = Weigh("dnc:f=1", {updates});
  EXPECT_EQ(output->weights[2], 0);
  EXPECT_THAT(output->reasons[2],
              ::testing::MatchesRegex("removed as an outlier: score .*e\\+04, kept ones at most .*"));
}

TEST(DivideAndConquer, TheFactorSaysHowManyGo) {
  const std::vector<Column> updates = RandomColumns(6, 9, 14);
  const auto count = [&](const std::string& rule) {
    const std::vector<double> weights = Weigh(rule, {updates})->weights;
    return std::count(weights.begin(), weights.end(), 0.0);
  };
  EXPECT_EQ(count("dnc:f=4,c=0.5"), 2);
  EXPECT_EQ(count("dnc:f=4,c=0.49"), 1);
  EXPECT_EQ(count("dnc:f=4,c=0"), 0);
  EXPECT_EQ(count("dnc:f=2,c=4"), 8);
  EXPECT_THAT(Weigh("dnc:f=0", {updates})->weights, Each(1.0 / 9));
}

TEST(DivideAndConquer, OfEqualUpdatesTheLastGo) {
  const Column x = RandomColumns(7, 1, 30)[0];
  EXPECT_THAT(Weigh("dnc:f=2", {{x, x, x, x, x}})->weights, ElementsAre(1.0 / 3, 1.0 / 3, 1.0 / 3, 0, 0));
}

TEST(DivideAndConquer, RefusesTooFewClients) {
  const auto rule = MakeRule("dnc:f=2,c=3");
  EXPECT_TRUE((*rule)->CheckClients(7, 2).ok());
  EXPECT_THAT(std::string((*rule)->CheckClients(6, 2).message()),
              HasSubstr("rule dnc:c=3 with f = 2 needs at least 7 clients (n >= floor(c f) + 1), got 6"));
  EXPECT_THAT(std::string((*rule)->CheckClients(4, 2).message()), HasSubstr("needs at least 5 clients (n >= 2f + 1)"));
  // 2.8 * 45 is 126, though a little less in binary.
  EXPECT_FALSE((*MakeRule("dnc:f=45,c=2.8"))->CheckClients(126, 45).ok());
  EXPECT_EQ(MakeRule("dnc").status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(DivideAndConquer, RefusesTooManyClients) {
  EXPECT_EQ(RefusalOf("dnc:f=2", limits::kDncClientsMax), "");
  EXPECT_EQ(
      RefusalOf("dnc:f=2", limits::kDncClientsMax + 1),
      absl::StrCat("rule dnc takes at most ", limits::kDncClientsMax, " clients, got ", limits::kDncClientsMax + 1));
}

}  // namespace
}  // namespace cairn
