#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <vector>

#include "aggregators/guard.h"
#include "aggregators/guard_testing.h"

namespace cairn {
namespace {

using ::testing::DoubleEq;
using ::testing::Each;
using ::testing::ElementsAre;
using testing::Guarded;
using testing::GuardRefusal;
using testing::MixingOf;
using ::testing::SizeIs;

// The columns of each bucket.
std::vector<std::vector<std::size_t>> Buckets(const kernels::SmallMatrix& mixing) {
  std::vector<std::vector<std::size_t>> buckets(mixing.columns);
  for (std::size_t i = 0; i < mixing.rows; ++i) {
    for (std::size_t j = 0; j < mixing.columns; ++j) {
      if (mixing.at(i, j) != 0) buckets[j].push_back(i);
    }
  }
  return buckets;
}

TEST(Bucketing, AveragesSColumnsAtATimeAndThoseThatAreLeft) {
  const auto mixing = MixingOf("bucketing:s=3", std::vector<double>(10));
  ASSERT_TRUE(mixing.ok()) << mixing.status();
  EXPECT_EQ(mixing->columns, 4u);
  EXPECT_EQ((*MakeGuard("bucketing:s=3"))->ColumnsOf(10), 4u);
  const std::vector<std::vector<std::size_t>> buckets = Buckets(*mixing);
  std::vector<int> times(10);
  for (const auto& bucket : buckets) {
    for (const std::size_t i : bucket) ++times[i];
  }
  EXPECT_THAT(times, Each(1));
  for (std::size_t j = 0; j < 4; ++j) {
    EXPECT_THAT(buckets[j], SizeIs(j < 3 ? 3 : 1));
    for (const std::size_t i : buckets[j]) EXPECT_EQ(mixing->at(i, j), j < 3 ? 1. / 3 : 1);
  }
}

// Published results must come out the same on another machine. A program in another language drew this order.
TEST(Bucketing, TheOrderIsTheSameEverywhere) {
  const auto mixing = MixingOf("bucketing:seed=7", std::vector<double>(6), {.round = 3});
  EXPECT_THAT(Buckets(*mixing), ElementsAre(ElementsAre(3), ElementsAre(1), ElementsAre(2), ElementsAre(5),
                                            ElementsAre(0), ElementsAre(4)));
}

TEST(Bucketing, RoundsAndSeedsDrawOtherOrders) {
  const std::vector<double> points(30);
  const auto order = [&](const char* guard, std::uint64_t round) {
    return MixingOf(guard, points, {.round = round})->values;
  };
  EXPECT_EQ(order("bucketing", 1), order("bucketing:s=1,seed=0", 1));
  EXPECT_NE(order("bucketing", 1), order("bucketing", 2));
  EXPECT_NE(order("bucketing", 1), order("bucketing:seed=1", 1));
}

// 720 orders in 7200 rounds, each 10 times on average: 0 or 40 times would be a wonder.
TEST(Bucketing, EveryOrderIsAsLikely) {
  std::map<std::vector<double>, int> times;
  for (std::uint64_t round = 0; round < 7200; ++round) {
    ++times[MixingOf("bucketing", std::vector<double>(6), {.round = round})->values];
  }
  EXPECT_THAT(times, SizeIs(720));
  for (const auto& [order, count] : times) EXPECT_LT(count, 40);
}

TEST(Bucketing, OneBucketIsTheMean) {
  EXPECT_THAT(*Guarded("bucketing:s=9", {1, 2, 6}), ElementsAre(DoubleEq(3)));
  EXPECT_THAT(*Guarded("bucketing", {5}), ElementsAre(5));
  EXPECT_THAT(*Guarded("bucketing:s=2", {1e30, 1e30, 1e30}), ElementsAre(1e30, 1e30));
}

TEST(Bucketing, TakesAnyNumberOfClientsAndNoF) {
  EXPECT_EQ(GuardRefusal("bucketing:s=10000", 1), "");
  EXPECT_FALSE((*MakeGuard("bucketing"))->needs_faulty());
  EXPECT_NE(GuardRefusal("bucketing:s=0", 1), "");
  EXPECT_NE(GuardRefusal("bucketing:seed=-1", 1), "");
}

}  // namespace
}  // namespace cairn
