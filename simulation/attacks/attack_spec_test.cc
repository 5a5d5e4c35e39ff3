#include "simulation/attacks/attack_spec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cairn {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(AttackSpec, HasDefaultsForEveryName) {
  for (const std::string& name : AttackNames()) {
    const auto spec = ParseAttack(name);
    ASSERT_TRUE(spec.ok()) << spec.status();
    EXPECT_EQ(spec->name, name);
  }
  EXPECT_EQ(ParseAttack("ipm")->epsilon, 0.5);
  EXPECT_EQ(ParseAttack("rescale")->c, 1e4);
  EXPECT_EQ(ParseAttack("ill_conditioned:cond=1e3")->cond, 1e3);
  EXPECT_EQ(ParseAttack("byz_mean:base=min_max")->base, "min_max");
}

TEST(AttackSpec, RefusesWhatItDoesNotKnow) {
  EXPECT_THAT(ParseAttack("bribe").status().message(), AllOf(HasSubstr("bribe"), HasSubstr("alie")));
  EXPECT_THAT(ParseAttack("ipm:c=2").status().message(), HasSubstr("ipm: has no option \"c\""));
  EXPECT_THAT(ParseAttack("min_max:direction=up").status().message(), HasSubstr("up"));
  EXPECT_THAT(ParseAttack("rescale:rank=4").status().message(), HasSubstr("rank"));
}

TEST(AttackSpec, SaysWhichRankIsSent) {
  const auto sent = [](absl::string_view attack) { return SentWith(*ParseAttack(attack), 4, 8); };
  EXPECT_EQ(sent("rescale").rank, 4);
  EXPECT_EQ(sent("rank_inflation:times=3").rank, 12);
  EXPECT_EQ(sent("rank_inflation:times=3").alpha, 24);
  EXPECT_EQ(sent("fake_alpha:c=10").alpha, 80);
  EXPECT_EQ(sent("alie:rank=2").rank, 2);
  EXPECT_EQ(sent("alie:rank=2").alpha, 4);
  EXPECT_EQ(sent("alie").rank, 256);
}

}  // namespace
}  // namespace cairn
