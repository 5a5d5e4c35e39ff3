#include "simulation/attacks/mimic.h"

#include <gtest/gtest.h>

namespace cairn::attacks {
namespace {

// They vary most along the first axis, where the third client is furthest from the mean; the fourth has the largest
// norm.
TEST(MimicVictim, IsTheFurthestAlongTheDirectionOfLargestVariance) {
  EXPECT_EQ(MimicVictim(std::vector<Vector>{{1, 10}, {2, 10}, {-5, 10}, {3, 11}}), 2u);
}

TEST(MimicVictim, IsTheFirstOfEquals) {
  EXPECT_EQ(MimicVictim(std::vector<Vector>{{1, 2}, {1, 2}}), 0u);
  EXPECT_EQ(MimicVictim(std::vector<Vector>{{-1, 0}, {1, 0}}), 0u);
  EXPECT_EQ(MimicVictim(std::vector<Vector>{{3, 4}}), 0u);
}

}  // namespace
}  // namespace cairn::attacks
