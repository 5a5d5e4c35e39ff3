#include "simulation/grid/grid_view.h"

#include <gtest/gtest.h>

namespace cairn {
namespace {

TEST(GridView, SaysHowFarAndHowLong) {
  EXPECT_EQ(ProgressLine({.cells = 100, .elapsed = absl::ZeroDuration()}),
            "[------------------------------]   0 %  0 of 100 cells");
  EXPECT_EQ(ProgressLine({.cells = 100, .done = 40, .elapsed = absl::Seconds(20)}),
            "[############------------------]  40 %  40 of 100 cells, 2 a second, 30 s left");
  EXPECT_EQ(ProgressLine({.cells = 1000, .done = 10, .failed = 2, .elapsed = absl::Seconds(20)}),
            "[------------------------------]   1 %  10 of 1000 cells, 0.5 a second, 33 min left, 2 failed");
  EXPECT_EQ(ProgressLine({.cells = 4, .done = 4, .elapsed = absl::Seconds(2)}),
            "[##############################] 100 %  4 of 4 cells, 2 a second");
}

// Cells of an earlier run cost this one nothing.
TEST(GridView, TheRateIsThisRuns) {
  EXPECT_EQ(ProgressLine({.cells = 100, .done = 60, .before = 50, .elapsed = absl::Seconds(10)}),
            "[##################------------]  60 %  60 of 100 cells, 1 a second, 40 s left");
}

}  // namespace
}  // namespace cairn
