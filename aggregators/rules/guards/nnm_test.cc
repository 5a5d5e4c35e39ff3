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

TEST(Nnm, MixesEveryColumnWithThoseNearestToIt) {
  const auto out = Guarded("nnm", {0, 1, 2, 100, 4}, {.faulty = 2});
  ASSERT_TRUE(out.ok()) << out.status();
  EXPECT_THAT(*out, ElementsAre(DoubleEq(1), DoubleEq(1), DoubleEq(1), DoubleEq(106. / 3), DoubleEq(7. / 3)));
}

TEST(Nnm, ItselfIsAlwaysAmongThem) {
  const auto mixing = MixingOf("nnm", {7, 7, 7, 7, 7}, {.faulty = 2});
  ASSERT_TRUE(mixing.ok()) << mixing.status();
  for (std::size_t i = 0; i < 5; ++i) {
    double sum = 0;
    for (std::size_t j = 0; j < 5; ++j) sum += mixing->at(j, i);
    EXPECT_EQ(mixing->at(i, i), 1. / 3);
    EXPECT_DOUBLE_EQ(sum, 1);
  }
  // The others are the lowest.
  EXPECT_EQ(mixing->at(0, 4), 1. / 3);
  EXPECT_EQ(mixing->at(1, 4), 1. / 3);
}

TEST(Nnm, TiesGoToTheFirst) {
  const auto mixing = MixingOf("nnm", {1, 0, 2}, {.faulty = 1});
  ASSERT_TRUE(mixing.ok()) << mixing.status();
  EXPECT_THAT(mixing->values, ElementsAre(0.5, 0.5, 0.5, 0.5, 0.5, 0, 0, 0, 0.5));
}

TEST(Nnm, ScalesMayBeFarApart) {
  EXPECT_THAT(*Guarded("nnm", {1e30, 1e-30, 3e-30}, {.faulty = 1}), ElementsAre(DoubleEq(5e29), 2e-30, 2e-30));
  EXPECT_THAT(*Guarded("nnm", {0, 0, 1e30}, {.faulty = 1}), ElementsAre(0, 0, DoubleEq(5e29)));
  EXPECT_THAT(*Guarded("nnm", {3}), ElementsAre(3));
}

TEST(Nnm, HasAnFOfItsOwnOrTheRules) {
  EXPECT_TRUE((*MakeGuard("nnm"))->needs_faulty());
  EXPECT_FALSE((*MakeGuard("nnm"))->faulty().has_value());
  EXPECT_EQ((*MakeGuard("nnm:f=3"))->faulty()->Among(10, 0), 3u);
}

TEST(Nnm, RefusesTooFewClientsAndOptions) {
  EXPECT_EQ(GuardRefusal("nnm", 5, 2), "");
  EXPECT_EQ(GuardRefusal("nnm", 4, 2), "guard nnm with f = 2 needs at least 5 clients (n >= 2f + 1), got 4");
  EXPECT_EQ(GuardRefusal("nnm:k=2", 5), "nnm: has no option \"k\"");
}

}  // namespace
}  // namespace cairn
