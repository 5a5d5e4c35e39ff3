#include "simulation/grid/grid_results.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "simulation/grid/grid_example_testing.h"

namespace cairn {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class GridResultsTest : public ::testing::Test {
 protected:
  const GridResults results_{ExampleGrid(), ExampleOutcomes()};
  GridPlace Place(std::size_t rule, double concentration, std::uint32_t faulty) const {
    return {&results_.grid().rules[rule], concentration, faulty};
  }
};

TEST_F(GridResultsTest, AScoreIsTheMeanOverSeeds) {
  EXPECT_DOUBLE_EQ(*results_.Score(Place(0, 0.1, 1), "alie"), (3.0 + 3.2) / 2);
  EXPECT_THAT(results_.Curve(Place(0, 0.1, 1), "alie"), ElementsAre(4.0, 3.5, (3.0 + 3.2) / 2));
  EXPECT_DOUBLE_EQ(*results_.base(), 4.0);
  EXPECT_DOUBLE_EQ(*results_.best(), 2.5);
}

TEST_F(GridResultsTest, TheWorstIsOverAttacks) {
  const auto worst = results_.WorstOf(Place(0, 0.1, 1));
  ASSERT_TRUE(worst.has_value());
  EXPECT_EQ(worst->attack, "sign_flip:c=5");
  EXPECT_TRUE(std::isinf(worst->score));
  EXPECT_TRUE(worst->of_all);
  EXPECT_EQ(results_.WorstOf(Place(0, 0.1, 0))->attack, kNoAttack);
}

TEST_F(GridResultsTest, FailedAndRefusedCellsHaveReasons) {
  const auto worst = results_.WorstOf(Place(1, 0.1, 1));
  ASSERT_TRUE(worst.has_value());
  EXPECT_EQ(worst->attack, "sign_flip:c=5");
  EXPECT_FALSE(worst->of_all) << "a seed of alie failed";
  EXPECT_FALSE(results_.WorstOf(Place(1, INFINITY, 1)).has_value());
  EXPECT_EQ(results_.WhyNone(Place(1, INFINITY, 1)), "needs more clients");
  ASSERT_EQ(results_.Failures().size(), 1u);
  EXPECT_EQ(results_.Failures()[0].reason, "killed");
  EXPECT_THAT(results_.Curve(Place(1, INFINITY, 1), "alie"), IsEmpty());
}

TEST_F(GridResultsTest, TablesHaveTheWorstAttackByName) {
  EXPECT_EQ(WorstTables(results_),
            "alpha 0.1  f = 0  f = 1\n"
            "mean       2.500  broken sign_flip:c=5\n"
            "krum       2.600  3.300* sign_flip:c=5\n"
            "\n"
            "alpha inf  f = 0  f = 1\n"
            "mean       2.500  3.100 alie\n"
            "krum       2.600  -\n"
            "\n");
}

TEST_F(GridResultsTest, RulesWithoutAllCellsComeLast) {
  EXPECT_FALSE(results_.IsWhole(Place(1, 0.1, 1), "alie"));
  EXPECT_TRUE(results_.IsWhole(Place(1, 0.1, 1), "sign_flip:c=5"));
  EXPECT_EQ(GridVerdict(results_),
            "f = 1 of 4, worst over concentrations and attacks: mean broken (sign_flip:c=5, alpha 0.1), krum 3.300* "
            "(sign_flip:c=5, alpha 0.1). * has cells that are not done, which may be worse.");
  EXPECT_THAT(FailureNote(results_), HasSubstr("1 cell failed"));
}

TEST(GridResults, TheVerdictBeginsWithTheBestRule) {
  Experiment experiment = ExampleGrid();
  experiment.grid->faulty = {0};
  const GridResults results(experiment, ExampleOutcomes());
  EXPECT_EQ(GridVerdict(results),
            "f = 0 of 4, worst over concentrations and attacks: mean 2.500 (none, alpha 0.1), krum 2.600 (none, alpha "
            "0.1).");
  EXPECT_EQ(FailureNote(results), "");
}

TEST(GridResults, NothingIsDoneYet) {
  const GridResults results(ExampleGrid(), {});
  EXPECT_FALSE(results.base().has_value());
  EXPECT_FALSE(results.best().has_value());
  EXPECT_EQ(GridVerdict(results), "");
  EXPECT_THAT(WorstTables(results), HasSubstr("mean       -      -"));
}

}  // namespace
}  // namespace cairn
