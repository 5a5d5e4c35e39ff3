#include "aggregators/registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cairn {
namespace {

using ::testing::HasSubstr;
using ::testing::IsSupersetOf;

TEST(Registry, HoldsTheRulesThoughNothingRefersToThem) {
  EXPECT_THAT(AggregatorNames(), IsSupersetOf({"mean", "stack", "zero_pad"}));
}

TEST(Registry, MakesARuleThatKnowsItsName) {
  for (const std::string& name : AggregatorNames()) {
    const auto rule = MakeAggregator(name);
    ASSERT_TRUE(rule.ok()) << rule.status();
    EXPECT_EQ((*rule)->name(), name);
  }
}

TEST(Registry, UnknownNameListsTheKnownOnes) {
  const absl::Status status = MakeAggregator("krum").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("\"krum\"; there are: mean, stack, zero_pad"));
}

TEST(RegistryDeathTest, RefusesASecondRuleOfTheSameName) {
  const AggregatorFactory factory = []() -> std::unique_ptr<Aggregator> { return nullptr; };
  EXPECT_DEATH(RegisterAggregator("stack", factory), "two aggregation rules are called \"stack\"");
}

}  // namespace
}  // namespace cairn
