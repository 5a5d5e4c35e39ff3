#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "aggregators/guard.h"
#include "aggregators/guard_testing.h"

namespace cairn {
namespace {

using ::testing::DoubleEq;
using ::testing::ElementsAre;
using testing::Guarded;
using testing::GuardRefusal;
using testing::MixingOf;

// n = 5, f = 2: k = 2 * 2 * 3 / 5 = 2, so that the bound is the third norm.
TEST(Arc, TheLongestBecomeAsLongAsTheNextOne) {
  EXPECT_THAT(*Guarded("arc", {1, -40, 3, 2, 50}, {.faulty = 2}), ElementsAre(1, DoubleEq(-3), 3, 2, DoubleEq(3)));
}

TEST(Arc, LeavesAllWhereNoneIsFaulty) {
  EXPECT_THAT(*Guarded("arc", {1, -40, 3}), ElementsAre(1, -40, 3));
  EXPECT_THAT(*Guarded("arc", {2}), ElementsAre(2));
}

// n = 3, f = 1: k = floor(4 / 3).
TEST(Arc, RoundsTheNumberOfTheLongestDown) {
  EXPECT_THAT(*Guarded("arc", {1, 2, 3}, {.faulty = 1}), ElementsAre(1, 2, DoubleEq(2)));
}

TEST(Arc, ScalesMayBeFarApart) {
  EXPECT_THAT(*Guarded("arc", {1e30, 1e-30, 2e-30}, {.faulty = 1}), ElementsAre(DoubleEq(2e-30), 1e-30, 2e-30));
  EXPECT_THAT(*Guarded("arc", {0, 5, 0}, {.faulty = 1}), ElementsAre(0, 0, 0));
  EXPECT_THAT(*Guarded("arc", {0, 0, 0}, {.faulty = 1}), ElementsAre(0, 0, 0));
  EXPECT_THAT(*Guarded("arc", {4, 4, 4}, {.faulty = 1}), ElementsAre(4, 4, 4));
}

TEST(Arc, OnlyScales) {
  const auto mixing = MixingOf("arc", {1, 2, 4}, {.faulty = 1});
  ASSERT_TRUE(mixing.ok()) << mixing.status();
  EXPECT_THAT(mixing->values, ElementsAre(1, 0, 0, 0, 1, 0, 0, 0, 0.5));
}

TEST(Arc, RefusesTooFewClientsAndOptions) {
  EXPECT_EQ(GuardRefusal("arc", 5, 2), "");
  EXPECT_EQ(GuardRefusal("arc", 4, 2), "guard arc with f = 2 needs at least 5 clients (n >= 2f + 1), got 4");
  EXPECT_EQ(GuardRefusal("arc:c=2", 5), "arc: has no option \"c\"");
}

}  // namespace
}  // namespace cairn
