// With real workers and real training, on a grid that takes seconds.
#include "simulation/grid/grid_runner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/files.h"
#include "base/test_directory.h"

namespace cairn {
namespace {

using ::testing::HasSubstr;

class GridRunnerTest : public ::testing::Test {
 protected:
  GridRunnerTest() {
    setenv("XDG_CACHE_HOME", (directory_ / "cache").c_str(), 1);
    std::filesystem::create_directories(directory_ / "data");
    for (const std::string name : {"one", "other"}) {
      std::ofstream file(directory_ / "data" / name);
      for (int i = 0; i < 600; ++i) file << name << " has line " << i * i << " of its own\n\n";
    }
  }

  Experiment Small() const {
    Experiment experiment;
    experiment.name = "small";
    experiment.data = directory_ / "data";
    experiment.rounds = 2;
    experiment.width = 16, experiment.layers = 1, experiment.heads = 2, experiment.context = 16;
    experiment.pretraining = {20, 4, 1e-2};
    experiment.training = {2, 2, 1e-2};
    Grid grid;
    grid.participants = 3;
    grid.ranks = {2, 4};
    grid.domains = {{"one", {"one"}}, {"other", {"other"}, true}};
    grid.concentrations = {0.1};
    grid.faulty = {0, 1};
    grid.attacks = {"sign_flip"};
    grid.rules = {{"mean", "examples", {}, "stack", ""}};
    grid.seeds = {1, 2};
    experiment.grid = std::move(grid);
    return experiment;
  }
  absl::StatusOr<GridRun> Run(const Experiment& experiment) { return RunGrid(experiment, directory_ / "out", 2); }
  std::vector<std::string> Rows() {
    std::vector<std::string> lines = absl::StrSplit(*ReadFile(directory_ / "out" / "cells.csv", 1 << 20), '\n');
    return {lines.begin() + 1, lines.end() - 1};
  }

  TestDirectory directory_;
};

TEST_F(GridRunnerTest, RunsEveryCellAndGoesOnWhereItWas) {
  Experiment experiment = Small();
  const auto first = Run(experiment);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(first->before, 0u);
  EXPECT_EQ(Rows().size(), 4u);
  const GridPlace place{&first->results.grid().rules[0], 0.1, 1};
  const std::optional<double> score = first->results.Score(place, "sign_flip");
  ASSERT_TRUE(score.has_value());
  EXPECT_THAT(*ReadFile(directory_ / "out" / "report.html", 1 << 20), HasSubstr("small"));

  // What is done is not run again, and other attacks may join.
  experiment.grid->attacks.push_back("ipm");
  const auto second = Run(experiment);
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(second->before, 4u);
  EXPECT_EQ(Rows().size(), 6u);
  EXPECT_EQ(second->results.Failures().size(), 0u);

  // The report is that of what is done, whatever becomes of a later run.
  experiment.rounds = 3;
  EXPECT_THAT(Run(experiment).status().message(), HasSubstr("there \"rounds: 2\", here \"rounds: 3\""));
  EXPECT_TRUE(std::filesystem::exists(directory_ / "out" / "report.html"));
}

TEST_F(GridRunnerTest, ARunThatEndsEarlyHasAReportOfWhatIsDone) {
  Experiment experiment = Small();
  ASSERT_TRUE(Run(experiment).ok());
  for (const auto& base : std::filesystem::directory_iterator(directory_ / "cache" / "cairn")) {
    std::ofstream(base.path()) << "no model";  // Workers cannot start.
  }
  experiment.grid->seeds = {1, 2, 3, 4};
  EXPECT_EQ(Run(experiment).status().code(), absl::StatusCode::kInternal);
  EXPECT_THAT(*ReadFile(directory_ / "out" / "report.html", 1 << 20), HasSubstr("over seeds 1, 2, 3, 4"));
}

TEST_F(GridRunnerTest, RefusalsAreNotKept) {
  Experiment experiment = Small();
  experiment.grid->rules.push_back({"krum", "krum:f={f}", {}, "stack", ""});
  const auto run = Run(experiment);
  ASSERT_TRUE(run.ok()) << run.status();
  for (const std::string& row : Rows()) EXPECT_EQ(row.find("refused"), std::string::npos) << row;
  const GridPlace place{&run->results.grid().rules[1], 0.1, 1};
  EXPECT_THAT(run->results.WhyNone(place), HasSubstr("krum"));
}

}  // namespace
}  // namespace cairn
