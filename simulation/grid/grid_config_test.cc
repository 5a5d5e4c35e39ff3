#include "simulation/grid/grid_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "base/test_directory.h"
#include "simulation/experiment.h"

namespace cairn {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kGrid[] = R"(name: test
seed: 9
data: /texts
grid:
  participants: 8
  ranks: [2, 4]
  domains:
    - {name: gpl, documents: [GPL-3]}
    - {name: c, documents: [elf.h], unseen: true}
  concentrations: [0.1, inf]
  faulty: [2, 0]
  attacks: [alie, "ipm:epsilon=2"]
  rules:
    - {rule: examples}
    - {name: ranked, rule: examples, publish: rank=4}
)";

class GridConfigTest : public ::testing::Test {
 protected:
  absl::StatusOr<Experiment> Load(const std::string& yaml) {
    std::ofstream(directory_ / "g.yaml") << yaml;
    return LoadExperiment(directory_ / "g.yaml");
  }
  std::string ErrorWith(const std::string& line, const std::string& instead) {
    const std::string yaml = absl::StrReplaceAll(kGrid, {{line, instead}});
    EXPECT_NE(yaml, kGrid) << line;
    return std::string(Load(yaml).status().message());
  }
  TestDirectory directory_;
};

TEST_F(GridConfigTest, IsReadWithDefaults) {
  const auto experiment = Load(kGrid);
  ASSERT_TRUE(experiment.ok()) << experiment.status();
  ASSERT_TRUE(experiment->grid.has_value());
  const Grid& grid = *experiment->grid;
  EXPECT_EQ(grid.participants, 8u);
  EXPECT_THAT(grid.ranks, ElementsAre(2, 4));
  EXPECT_THAT(grid.concentrations, ElementsAre(0.1, INFINITY));
  EXPECT_THAT(grid.faulty, ElementsAre(0, 2)) << "ascending";
  EXPECT_THAT(grid.seeds, ElementsAre(9)) << "the experiment's";
  EXPECT_EQ(grid.rules[0].name, "examples");
  EXPECT_EQ(grid.rules[0].combine, "stack");
  EXPECT_EQ(grid.rules[1].name, "ranked");
  EXPECT_FALSE(grid.domains[0].unseen);
  EXPECT_TRUE(grid.domains[1].unseen);
  EXPECT_EQ(SourcesOf(*experiment).size(), 2u);
}

TEST_F(GridConfigTest, ErrorsNameTheFileAndTheKey) {
  EXPECT_THAT(ErrorWith("alie", "magic"), HasSubstr("g.yaml: key \"grid.attacks\": expected attacks, got magic: no"));
  EXPECT_THAT(ErrorWith("[alie, \"ipm:epsilon=2\"]", "[]"), HasSubstr("grid.attacks\": expected at least one"));
  EXPECT_THAT(ErrorWith("rule: examples}", "rule: magic}"), HasSubstr("no rule is called \"magic\""));
  EXPECT_THAT(ErrorWith("rule: examples}", "rule: examples, guards: [magic]}"), HasSubstr("\"magic\""));
  EXPECT_THAT(ErrorWith("rule: examples}", "rule: examples, combine: svd}"), HasSubstr("merged into the model"));
  EXPECT_THAT(ErrorWith("publish: rank=4", "publish: merged"), HasSubstr("one adapter for all"));
  EXPECT_THAT(ErrorWith("name: ranked", "name: examples"), HasSubstr("grid.rules.name\": expected each name once"));
  EXPECT_THAT(ErrorWith("[2, 0]", "[8]"), HasSubstr("fewer than there are participants, got 8"));
  EXPECT_THAT(ErrorWith("[2, 0]", "[2, 2]"), HasSubstr("each at most once, got 2 twice"));
  EXPECT_THAT(ErrorWith("[2, 0]", "[]"), HasSubstr("grid.faulty\": expected at least one"));
  EXPECT_THAT(ErrorWith("[0.1, inf]", "[0]"), HasSubstr("grid.concentrations\": expected a number above 0, or inf"));
  EXPECT_THAT(ErrorWith("[2, 4]", "[0]"), HasSubstr("grid.ranks"));
  EXPECT_THAT(ErrorWith("participants: 8", "participants: 1"), HasSubstr("grid.participants"));
  EXPECT_THAT(ErrorWith("name: c,", "name: gpl,"), HasSubstr("grid.domains.name"));
  EXPECT_THAT(ErrorWith("documents: [GPL-3]", "documents: [GPL-3], unseen: true"), HasSubstr("the base model sees"));
  EXPECT_THAT(ErrorWith("  participants", "  colour: red\n  participants"), HasSubstr("colour"));
}

TEST_F(GridConfigTest, ATrustedClientIsAParticipantWhoNeverAttacks) {
  const std::string rule = "rule: examples}";
  EXPECT_THAT(ErrorWith(rule, "rule: \"fltrust:root=root\"}"), HasSubstr("never attacks, p0 to p5, got root"));
  EXPECT_THAT(ErrorWith(rule, "rule: \"fltrust:root=p6\"}"), HasSubstr("never attacks, p0 to p5, got p6"));
  EXPECT_EQ(ErrorWith(rule, "rule: \"fltrust:root=p5\"}"), "");
}

TEST_F(GridConfigTest, AGridHasNoClientsAndNoMethods) {
  EXPECT_THAT(Load(absl::StrCat(kGrid, "methods: [stack]\n")).status().message(), HasSubstr("got both"));
  EXPECT_THAT(Load(absl::StrCat(kGrid, "clients: [{name: a, rank: 2}]\n")).status().message(), HasSubstr("got both"));
  EXPECT_THAT(Load(absl::StrCat(kGrid, "training: {prune: 0.5}\n")).status().message(), HasSubstr("training.prune"));
  EXPECT_THAT(Load(absl::StrCat(kGrid, "rule: krum:f=1\n")).status().message(), HasSubstr("rules in grid.rules"));
  EXPECT_THAT(Load(absl::StrCat(kGrid, "guards: [clip]\n")).status().message(), HasSubstr("rules in grid.rules"));
}

TEST_F(GridConfigTest, OtherDataHasADomainForEachFolder) {
  for (const char* domain : {"x", "y", "z"}) {
    std::filesystem::create_directories(directory_ / "data" / domain);
    std::ofstream(directory_ / "data" / domain / "text") << "words";
  }
  const auto experiment = WithData(*Load(kGrid), directory_ / "data");
  ASSERT_TRUE(experiment.ok()) << experiment.status();
  ASSERT_EQ(experiment->grid->domains.size(), 3u);
  EXPECT_EQ(experiment->grid->domains[2].name, "z");
  EXPECT_FALSE(experiment->grid->domains[2].unseen);
  std::filesystem::remove_all(directory_ / "data" / "x");
  std::filesystem::remove_all(directory_ / "data" / "y");
  EXPECT_THAT(WithData(*Load(kGrid), directory_ / "data").status().message(), HasSubstr("at least 2, got 1"));
}

TEST(Grid, FillsInHowManyAttack) {
  const GridRule rule = Against({"n", "krum:f={f}", {"nnm:f={f}", "clip"}, "stack", "rank=4"}, 3);
  EXPECT_EQ(rule.rule, "krum:f=3");
  EXPECT_THAT(rule.guards, ElementsAre("nnm:f=3", "clip"));
  EXPECT_EQ(DefinitionOf(rule), "nnm:f=3 > clip > krum:f=3 > stack > rank=4");
}

}  // namespace
}  // namespace cairn
