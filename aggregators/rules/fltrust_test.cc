#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "aggregators/column_testing.h"

namespace cairn {
namespace {

using kernels::reference::Column;
using kernels::reference::Difference;
using kernels::reference::InnerProduct;
using kernels::reference::NormOf;
using kernels::reference::RandomColumns;
using kernels::reference::Times;
using ::testing::DoubleNear;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::ResultOf;
using testing::Sent;
using testing::Weigh;

constexpr char kRule[] = "fltrust:root=server";

Column SlowTrust(const Sent& sent) {
  Column sum(sent.named->size());
  double trust = 0;
  for (const Column& x : sent.updates) {
    const double length = NormOf(*sent.named) / NormOf(x);
    const double score = std::max(0.0, InnerProduct(x, *sent.named) / NormOf(x) / NormOf(*sent.named));
    trust += score;
    sum = Difference(sum, Times(-score * length, x));
  }
  return Times(1 / trust, sum);
}

TEST(FlTrust, IsTheMeanByTrustAtTheRootsLength) {
  for (const std::uint64_t seed : {1, 2, 3}) {
    Sent sent{.updates = RandomColumns(seed, 8, 6), .named = RandomColumns(seed + 10, 1, 6)[0]};
    sent.updates[1] = Times(1e6, sent.updates[1]);
    EXPECT_LE(NormOf(Difference(ResultOf(kRule, sent), SlowTrust(sent))), 1e-14);
  }
}

TEST(FlTrust, SaysWhoPointsAway) {
  const auto output = Weigh(kRule, {.updates = {{1, 0}, {-4, 3}, {0, 0}, {1, 1}}, .named = Column{2, 0}});
  ASSERT_TRUE(output.ok()) << output.status();
  EXPECT_THAT(output->weights,
              ElementsAre(DoubleNear(2 / 1.70710678, 1e-7), 0, 0, DoubleNear(1 / 1.70710678, 1e-7), 0));
  EXPECT_THAT(output->reasons, ElementsAre("", "points away from the root (cosine -0.8)", "its update is zero", ""));
}

TEST(FlTrust, NobodyCountsWhereAllDisagreeOrTheRootIsZero) {
  const std::vector<Column> updates = {{1, 0}, {0.5, 0.5}};
  EXPECT_THAT(Weigh(kRule, {.updates = updates, .named = Column{-1, 0}})->weights, Each(0.0));
  const auto output = Weigh(kRule, {.updates = updates, .named = Column{0, 0}});
  EXPECT_THAT(output->weights, Each(0.0));
  EXPECT_THAT(output->reasons, Each("the root's update is zero"));
}

TEST(FlTrust, TakesUpdatesOfAnyLength) {
  const auto output = Weigh(kRule, {.updates = {{1e-30, 0}, {1e30, 0}}, .named = Column{1, 0}});
  EXPECT_THAT(output->weights, ElementsAre(DoubleNear(0.5e30, 1e16), DoubleNear(0.5e-30, 1e-44), 0));
  const auto huge = Weigh(kRule, {.updates = {{3e-162, 0}, {1, 0}}, .named = Column{1e154, 0}});
  EXPECT_THAT(huge->reasons, ElementsAre("its update is zero", ""));
}

TEST(FlTrust, AsksForTheRootWhichIsNotAmongTheUpdates) {
  const auto rule = MakeRule(kRule);
  EXPECT_EQ((*rule)->needs().client, "server");
  EXPECT_FALSE((*rule)->needs().client_counts);
  EXPECT_THAT(std::string(MakeRule("fltrust").status().message()), HasSubstr("for example fltrust:root=server"));
  EXPECT_EQ(MakeRule("fltrust:root=../x").status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace cairn
