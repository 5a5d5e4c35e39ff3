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

TEST(Clip, NoColumnIsLongerThanItsBound) {
  EXPECT_THAT(*Guarded("clip:c=4", {1, -40, 4, 0, 5}), ElementsAre(1, DoubleEq(-4), 4, 0, DoubleEq(4)));
  EXPECT_THAT(*Guarded("clip", {1, 3}), ElementsAre(1, DoubleEq(2)));
}

TEST(Clip, ScalesMayBeFarApart) {
  EXPECT_THAT(*Guarded("clip", {1e30, 1e-30, 0}), ElementsAre(DoubleEq(2), 1e-30, 0));
  EXPECT_THAT(*Guarded("clip:c=1e-20", {1e30}), ElementsAre(DoubleEq(1e-20)));
}

TEST(Clip, OnlyScales) {
  const auto mixing = MixingOf("clip", {1, 4});
  ASSERT_TRUE(mixing.ok()) << mixing.status();
  EXPECT_THAT(mixing->values, ElementsAre(1, 0, 0, 0.5));
}

TEST(Clip, TakesAnyNumberOfClientsAndNoF) {
  EXPECT_EQ(GuardRefusal("clip", 1), "");
  EXPECT_FALSE((*MakeGuard("clip"))->needs_faulty());
  EXPECT_NE(GuardRefusal("clip:c=0", 1), "");
  EXPECT_EQ(GuardRefusal("clip:f=1", 1), "clip: has no option \"f\"");
}

}  // namespace
}  // namespace cairn
