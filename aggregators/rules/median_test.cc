#include <gtest/gtest.h>

#include "aggregators/rule.h"

namespace cairn {
namespace {

using Kind = kernels::CoordinateRule::Kind;

TEST(Median, TakesTheMedianOfEveryClient) {
  const auto rule = MakeRule("median");
  ASSERT_TRUE(rule.ok()) << rule.status();
  EXPECT_EQ((*rule)->Weigh({.columns = 4})->coordinates->kind, Kind::kMedian);
}

TEST(Median, NeedsOneClientAndNoF) {
  EXPECT_TRUE((*MakeRule("median"))->CheckClients(1, 0).ok());
  EXPECT_FALSE((*MakeRule("median"))->CheckClients(0, 0).ok());
  EXPECT_EQ(MakeRule("median:f=1").status(), absl::InvalidArgumentError("median: has no option \"f\""));
}

}  // namespace
}  // namespace cairn
