#include "aggregators/registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "aggregators/weighing.h"

namespace cairn {
namespace {

using ::testing::HasSubstr;
using ::testing::IsSupersetOf;

TEST(Registry, HoldsTheRulesThoughNothingRefersToThem) {
  EXPECT_THAT(AggregatorNames(), IsSupersetOf({"dense_mean", "ffa", "mean", "stack", "zero_pad"}));
}

TEST(Registry, MakesARuleThatKnowsItsName) {
  for (const std::string& name : AggregatorNames()) {
    const auto rule = MakeAggregator(name);
    ASSERT_TRUE(rule.ok()) << rule.status();
    EXPECT_EQ((*rule)->name(), name);
  }
}

TEST(Registry, RefusesOptionsThatTheRuleDoesNotHave) {
  EXPECT_EQ(MakeAggregator("stack:k=3").status(), absl::InvalidArgumentError("stack: has no option \"k\""));
}

TEST(Registry, WeighsByExamplesAndRefusesUnknownGuards) {
  EXPECT_THAT(RuleNames(), ::testing::Contains("examples"));
  EXPECT_TRUE(Weighing::Create("examples", {}).ok());
  EXPECT_EQ(Weighing::Create("examples", {"nothing"}).status().code(), absl::StatusCode::kNotFound);
}

TEST(Registry, UnknownNameListsTheKnownOnes) {
  const absl::Status status = MakeAggregator("krum").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("no combine rule is called \"krum\"; there are: core_mean, dense_mean, "));
}

TEST(RegistryDeathTest, RefusesASecondRuleOfTheSameName) {
  const AggregatorFactory factory = [](RuleOptions&) -> absl::StatusOr<std::unique_ptr<Aggregator>> { return nullptr; };
  GTEST_FLAG_SET(death_test_style, "threadsafe");  // libtorch has threads.
  EXPECT_DEATH(RegisterAggregator("stack", factory), "combine rule \"stack\" is there twice");
}

}  // namespace
}  // namespace cairn
