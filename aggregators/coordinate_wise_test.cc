#include "aggregators/coordinate_wise.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace cairn {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class CoordinateWiseRules : public ::testing::TestWithParam<const char*> {};

TEST_P(CoordinateWiseRules, GiveEveryClientOneVoteAndNeedNoGramMatrix) {
  const auto rule = MakeRule(GetParam());
  ASSERT_TRUE(rule.ok()) << rule.status();
  EXPECT_TRUE((*rule)->coordinate_wise());
  EXPECT_FALSE((*rule)->needs().gram);
  EXPECT_FALSE((*rule)->any_weights());
  const auto output = (*rule)->Weigh({.columns = 8, .faulty = 1});
  ASSERT_TRUE(output.ok()) << output.status();
  EXPECT_THAT(output->weights, SizeIs(8));
  EXPECT_THAT(output->weights, Each(0.125));
  EXPECT_TRUE(output->coordinates.has_value());
}

INSTANTIATE_TEST_SUITE_P(All, CoordinateWiseRules,
                         ::testing::Values("median", "trimmed_mean:f=1", "meamed:f=1", "phocas:f=1", "sign"));

class TrimmingRules : public ::testing::TestWithParam<const char*> {};

TEST_P(TrimmingRules, NeedMoreHonestClientsThanFaultyOnes) {
  const std::string name = GetParam();
  const auto rule = MakeRule(name + ":f=2");
  ASSERT_TRUE(rule.ok()) << rule.status();
  EXPECT_EQ((*rule)->faulty()->Among(5, 0), 2u);
  EXPECT_TRUE((*rule)->CheckClients(5, 2).ok());
  EXPECT_EQ((*rule)->CheckClients(4, 2),
            absl::InvalidArgumentError("rule " + name + " with f = 2 needs at least 5 clients (n >= 2f + 1), got 4"));
  EXPECT_THAT(std::string(MakeRule(name).status().message()),
              HasSubstr(name + ": f: expected how many clients may lie"));
}

INSTANTIATE_TEST_SUITE_P(All, TrimmingRules, ::testing::Values("trimmed_mean", "meamed", "phocas"));

}  // namespace
}  // namespace cairn
