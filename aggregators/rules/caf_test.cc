#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "aggregators/column_testing.h"
#include "aggregators/kernels/reference_eigen.h"
#include "aggregators/rule_testing.h"
#include "base/limits.h"

namespace cairn {
namespace {

using kernels::SmallMatrix;
using kernels::reference::Column;
using kernels::reference::CombinationOf;
using kernels::reference::Difference;
using kernels::reference::EigenPair;
using kernels::reference::InnerProduct;
using kernels::reference::MeanOf;
using kernels::reference::NormOf;
using kernels::reference::RandomColumns;
using kernels::reference::Times;
using ::testing::Each;
using ::testing::HasSubstr;
using testing::RefusalOf;
using testing::ResultOf;
using testing::Weigh;

// The top eigenpair of the covariance of the coordinates, about `mean`.
EigenPair Widest(const std::vector<Column>& updates, const Column& mean, const std::vector<double>& weights) {
  SmallMatrix covariance = SmallMatrix::Zero(mean.size(), mean.size());
  for (std::size_t k = 0; k < updates.size(); ++k) {
    const Column away = Difference(updates[k], mean);
    for (std::size_t i = 0; i < mean.size(); ++i) {
      for (std::size_t j = 0; j < mean.size(); ++j) covariance.at(i, j) += weights[k] * away[i] * away[j];
    }
  }
  return kernels::reference::EigenPairs(covariance)[0];
}

Column SlowFilter(const std::vector<Column>& updates, std::size_t faulty) {
  std::vector<double> c(updates.size(), 1);
  double best = std::numeric_limits<double>::infinity(), sum = static_cast<double>(updates.size());
  Column result = MeanOf(updates);
  while (sum > static_cast<double>(updates.size() - 2 * faulty)) {
    std::vector<double> weights = c, tau;
    for (double& weight : weights) weight /= sum;
    const Column mean = CombinationOf(updates, weights);
    const EigenPair top = Widest(updates, mean, weights);
    if (top.value < best) {
      best = top.value;
      result = mean;
    }
    double largest = 0;
    for (std::size_t i = 0; i < c.size(); ++i) {
      tau.push_back(std::pow(InnerProduct(Difference(updates[i], mean), top.vector), 2));
      if (c[i] > 0) largest = std::max(largest, tau[i]);
    }
    for (std::size_t i = 0; i < c.size(); ++i) c[i] = c[i] > 0 ? c[i] * (1 - tau[i] / largest) : 0;
    sum = std::accumulate(c.begin(), c.end(), 0.0);
  }
  return result;
}

TEST(Caf, FiltersAsOnTheVectorsThemselves) {
  for (const std::uint64_t seed : {1, 2, 3, 4}) {
    for (const std::size_t f : {1, 3, 5}) {
      std::vector<Column> updates = RandomColumns(seed, 11, 14);
      for (std::size_t i = 0; i < f; ++i) updates[2 * i] = Times(5, updates[2 * i]);
      const Column fast = ResultOf("caf:f=" + std::to_string(f), {updates}), slow = SlowFilter(updates, f);
      EXPECT_LE(NormOf(Difference(fast, slow)), 1e-12) << "seed " << seed << ", f " << f;
    }
  }
}

TEST(Caf, OutliersLoseTheirShareAndHearWhy) {
  std::vector<Column> updates = RandomColumns(5, 9, 14);
  updates[4] = Times(1e4, updates[4]);
  updates[7] = Times(-1e6, updates[7]);
  const auto output = Weigh("caf:f=2", {updates});
  ASSERT_TRUE(output.ok()) << output.status();
  for (const std::size_t i : {4, 7}) {
    EXPECT_EQ(output->weights[i], 0);
    EXPECT_THAT(output->reasons[i], HasSubstr("removed as an outlier: "));
  }
  EXPECT_THAT(output->reasons[7], HasSubstr("e+06 from the mean, where the standard deviation is "));
  EXPECT_NEAR(std::accumulate(output->weights.begin(), output->weights.end(), 0.0), 1, 1e-15);
  EXPECT_TRUE(output->reasons[0].empty());
}

TEST(Caf, WithNobodyFaultyIsTheMean) {
  EXPECT_THAT(Weigh("caf:f=0", {RandomColumns(6, 8, 5)})->weights, Each(1.0 / 8));
}

TEST(Caf, OfEqualUpdatesIsTheMean) {
  const Column x = RandomColumns(7, 1, 30)[0];
  EXPECT_THAT(Weigh("caf:f=2", {{x, x, x, x, x}})->weights, Each(1.0 / 5));
}

TEST(Caf, RefusesTooFewClients) {
  EXPECT_THAT(std::string(Weigh("caf:f=2", {RandomColumns(8, 4, 3)}).status().message()),
              HasSubstr("rule caf with f = 2 needs at least 5 clients (n >= 2f + 1), got 4"));
  EXPECT_EQ(MakeRule("caf").status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(Caf, RefusesTooManyClients) {
  EXPECT_EQ(RefusalOf("caf:f=2", limits::kCafClientsMax), "");
  EXPECT_EQ(
      RefusalOf("caf:f=2", limits::kCafClientsMax + 1),
      absl::StrCat("rule caf takes at most ", limits::kCafClientsMax, " clients, got ", limits::kCafClientsMax + 1));
}

}  // namespace
}  // namespace cairn
