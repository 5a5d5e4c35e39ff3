#include "server/tree/life_signs.h"

#include <gtest/gtest.h>

#include "absl/time/clock.h"
#include "base/progress.h"

namespace cairn::tree {
namespace {

using Work = LifeSigns::Work;

// One call of a library may take hours and tell of nothing; a loop that never ends in a fold is one that hangs.
TEST(LifeSignsTest, ProcessorTimeIsProgressOfComputingOnly) {
  const std::uint64_t pieces = LifeSigns::ProgressOf(Work::kPieces),
                      computing = LifeSigns::ProgressOf(Work::kComputing);
  const absl::Time longest = absl::Now() + absl::Minutes(1);
  while (LifeSigns::ProgressOf(Work::kComputing) == computing && absl::Now() < longest) continue;
  EXPECT_GT(LifeSigns::ProgressOf(Work::kComputing), computing);
  EXPECT_EQ(LifeSigns::ProgressOf(Work::kPieces), pieces);
}

TEST(LifeSignsTest, WhatGotDoneIsProgress) {
  const std::uint64_t pieces = LifeSigns::ProgressOf(Work::kPieces);
  WorkProgress::Made();
  EXPECT_EQ(LifeSigns::ProgressOf(Work::kPieces), pieces + 1);
}

}  // namespace
}  // namespace cairn::tree
