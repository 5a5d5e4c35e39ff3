#include <gtest/gtest.h>

#include "aggregators/rule.h"

namespace cairn {
namespace {

using Kind = kernels::CoordinateRule::Kind;

TEST(TrimmedMean, LeavesOutFOnEitherSide) {
  const auto rule = MakeRule("trimmed_mean:f=0.2");
  ASSERT_TRUE(rule.ok()) << rule.status();
  const auto output = (*rule)->Weigh({.columns = 10, .faulty = 2});
  EXPECT_EQ(output->coordinates->kind, Kind::kTrimmedMean);
  EXPECT_EQ(output->coordinates->count, 2u);
}

}  // namespace
}  // namespace cairn
