#include "simulation/grid/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "simulation/grid/grid_example_testing.h"

namespace cairn {
namespace {

using ::testing::HasSubstr;

TEST(Plan, WithoutAttackersThereIsOneCellARule) {
  const std::vector<Cell> cells = CellsOf(*ExampleGrid().grid);
  // 2 rules, 2 concentrations, 2 seeds; f = 0 once and f = 1 with each of 2 attacks.
  EXPECT_EQ(cells.size(), 2u * 2 * 2 * 3);
  std::set<std::string> keys;
  for (const Cell& cell : cells) {
    keys.insert(KeyOf(cell));
    EXPECT_EQ(cell.faulty == 0, cell.attack == kNoAttack) << TitleOf(cell);
  }
  EXPECT_EQ(keys.size(), cells.size());
}

TEST(Plan, CellsOfOneCohortAreBesideEachOther) {
  const std::vector<Cell> cells = CellsOf(*ExampleGrid().grid);
  std::set<std::pair<double, std::uint64_t>> seen;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const std::pair<double, std::uint64_t> cohort(cells[i].concentration, cells[i].seed);
    const bool same = i > 0 && cells[i - 1].concentration == cohort.first && cells[i - 1].seed == cohort.second;
    EXPECT_TRUE(same || seen.insert(cohort).second) << TitleOf(cells[i]);
  }
}

TEST(Plan, RulesKnowHowManyAttack) {
  for (const Cell& cell : CellsOf(*ExampleGrid().grid)) {
    const std::string krum = cell.faulty == 0 ? "krum:f=0" : "krum:f=1";
    EXPECT_EQ(cell.rule.rule, cell.rule.name == "krum" ? krum : "examples");
  }
}

TEST(Plan, ARuleRefusesMoreAttackersThanItsBound) {
  Grid grid = *ExampleGrid().grid;
  Cell cell{{"krum", "krum:f=1", {}, "stack", ""}, "alie", 1, 1, 1};
  grid.participants = 5;
  EXPECT_EQ(RefusalOf(grid, cell), std::nullopt);
  cell.attack = "nan";
  EXPECT_THAT(RefusalOf(grid, cell).value_or(""), HasSubstr("n >= 2f + 3")) << "4 uploads are left";
  cell.attack = "alie";
  grid.participants = 4;
  EXPECT_THAT(RefusalOf(grid, cell).value_or(""), HasSubstr("n >= 2f + 3"));
  grid.participants = 2;
  cell.rule = {"nnm", "examples", {"nnm:f=1"}, "stack", ""};
  EXPECT_THAT(RefusalOf(grid, cell).value_or(""), HasSubstr("nnm")) << "guards have bounds, too";
}

}  // namespace
}  // namespace cairn
