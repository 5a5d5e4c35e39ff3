#include <gtest/gtest.h>

#include "aggregators/rule.h"

namespace cairn {
namespace {

using Kind = kernels::CoordinateRule::Kind;

TEST(Meamed, LeavesOutTheFFarthestFromTheMedian) {
  const auto rule = MakeRule("meamed:f=3");
  ASSERT_TRUE(rule.ok()) << rule.status();
  const auto output = (*rule)->Weigh({.columns = 10, .faulty = 3});
  EXPECT_EQ(output->coordinates->kind, Kind::kMeamed);
  EXPECT_EQ(output->coordinates->count, 7u);
}

}  // namespace
}  // namespace cairn
