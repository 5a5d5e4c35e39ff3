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

// More lines than the terminal has could not be overwritten.
TEST(GridView, FitsTheTerminal) {
  const Cell cell{.rule = {.name = "krum"}};
  const std::vector<const Cell*> running(5, &cell);
  EXPECT_EQ(LiveLines({.cells = 9}, running, 6).size(), 6u);
  const std::vector<std::string> lines = LiveLines({.cells = 9}, running, 4);
  ASSERT_EQ(lines.size(), 4u);
  EXPECT_EQ(lines[2], "  krum, none, alpha inf, f 0, seed 0");
  EXPECT_EQ(lines[3], "  and 3 more");
  EXPECT_EQ(LiveLines({.cells = 9}, running, 2)[1], "  and 5 more");
}

TEST(GridView, APlainLineNamesTheOldestCell) {
  const Cell oldest{.rule = {.name = "krum"}}, other{.rule = {.name = "mean"}};
  EXPECT_EQ(
      PlainLine({.cells = 9}, {&oldest, &other}),
      "[------------------------------]   0 %  0 of 9 cells; longest under way: krum, none, alpha inf, f 0, seed 0");
  EXPECT_EQ(PlainLine({.cells = 9}, {}), ProgressLine({.cells = 9}));
}

}  // namespace
}  // namespace cairn
