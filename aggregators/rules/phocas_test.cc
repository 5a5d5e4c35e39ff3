#include <gtest/gtest.h>

#include "aggregators/rule.h"

namespace cairn {
namespace {

using Kind = kernels::CoordinateRule::Kind;

TEST(Phocas, LeavesOutTheFFarthestFromTheTrimmedMean) {
  const auto rule = MakeRule("phocas:f=3");
  ASSERT_TRUE(rule.ok()) << rule.status();
  const auto output = (*rule)->Weigh({.columns = 10, .faulty = 3});
  EXPECT_EQ(output->coordinates->kind, Kind::kPhocas);
  EXPECT_EQ(output->coordinates->count, 7u);
  EXPECT_EQ(output->coordinates->trim, 3u);
}

}  // namespace
}  // namespace cairn
