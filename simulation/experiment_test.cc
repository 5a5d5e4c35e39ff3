#include "simulation/experiment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "absl/strings/str_cat.h"

namespace cairn {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kEqual[] =
    "name: test\ndata: /texts\nclients:\n"
    "  - {name: a, rank: 4, documents: [one]}\n  - {name: b, rank: 4, documents: [two]}\n";
constexpr char kMinimal[] =
    "name: test\ndata: /texts\nclients:\n"
    "  - {name: a, rank: 8, documents: [one]}\n  - {name: b, rank: 2, alpha: 3, documents: [two]}\n";

class ExperimentTest : public ::testing::Test {
 protected:
  ExperimentTest() : root_(fs::path(::testing::TempDir()) / absl::StrCat("experiment_test_", getpid())) {
    fs::remove_all(root_);
    fs::create_directories(root_);
  }
  ~ExperimentTest() override { fs::remove_all(root_); }
  absl::StatusOr<Experiment> Load(const std::string& yaml) {
    std::ofstream(root_ / "e.yaml") << yaml;
    return LoadExperiment(root_ / "e.yaml");
  }
  fs::path root_;
};

TEST_F(ExperimentTest, FillsInDefaults) {
  const auto experiment = Load(kMinimal);
  ASSERT_TRUE(experiment.ok()) << experiment.status();
  EXPECT_EQ(experiment->rounds, 3u);
  EXPECT_EQ(experiment->clients[0].alpha, 16);
  EXPECT_EQ(experiment->clients[1].alpha, 3);
  EXPECT_THAT(experiment->methods, ElementsAre("alone", "zero_pad", "svd", "stack"));
}

TEST_F(ExperimentTest, ErrorsNameTheFileAndTheKey) {
  EXPECT_THAT(Load(absl::StrCat(kMinimal, "colour: red\n")).status().message(), HasSubstr("colour"));
  EXPECT_THAT(Load(absl::StrCat(kMinimal, "methods: [alone, magic]\n")).status().message(),
              HasSubstr("e.yaml: key \"methods\": expected alone, or a combine rule, got magic"));
  EXPECT_THAT(Load(absl::StrCat(kMinimal, "methods: [stack, stack]\n")).status().message(), HasSubstr("at most once"));
  EXPECT_THAT(Load(absl::StrCat(kMinimal, "methods: [core_mean]\n")).status().message(), HasSubstr("core_mean"));
  EXPECT_THAT(Load(absl::StrCat(kMinimal, "training: {prune: 1}\n")).status().message(), HasSubstr("training.prune"));
  EXPECT_THAT(Load(absl::StrCat(kMinimal, "pretraining: {prune: 0.5}\n")).status().message(),
              HasSubstr("pretraining.prune"));
  EXPECT_THAT(Load(absl::StrCat(kMinimal, "training: {learning_rate: -1}\n")).status().message(),
              HasSubstr("training.learning_rate"));
  EXPECT_THAT(Load("name: x\ndata: y\n").status().message(), HasSubstr("key \"clients\": expected at least 2, got 0"));
  EXPECT_THAT(LoadExperiment(root_ / "nothing.yaml").status().message(), HasSubstr("nothing.yaml"));
}

TEST_F(ExperimentTest, MethodsAreCombineRulesWithOptions) {
  const auto experiment = Load(absl::StrCat(kEqual, "methods: [alone, 'fair:lambda=0.5', ffa]\n"));
  ASSERT_TRUE(experiment.ok()) << experiment.status();
  EXPECT_EQ(FederationOf("fair:lambda=0.5"), "fair-lambda-0.5");
  EXPECT_EQ(MethodTitle("fair:lambda=0.5"), "LoRA-FAIR:lambda=0.5");
  EXPECT_TRUE(FreezesA("ffa"));
  EXPECT_FALSE(FreezesA("fair:lambda=0.5"));
}

// What a rule would refuse after the first round's training.
TEST_F(ExperimentTest, RulesThatWantEqualRanksGetThem) {
  const std::string prune = "training: {prune: 0.5}\n";
  for (const std::string method : {"mean", "fair", "residual", "ffa", "dense_mean"}) {
    const std::string methods = absl::StrCat("methods: [", method, "]\n");
    EXPECT_TRUE(Load(kEqual + methods).ok()) << Load(kEqual + methods).status();
    EXPECT_THAT(Load(kMinimal + methods).status().message(), HasSubstr("key \"methods\": expected rules that take"))
        << method;
    EXPECT_THAT(Load(kEqual + methods + prune).status().message(), HasSubstr("a-pruned")) << method;
  }
  for (const std::string method : {"stack", "svd", "zero_pad", "hetlora", "rank_cluster"}) {
    const std::string all = absl::StrCat(kMinimal, "methods: [", method, "]\n", prune);
    EXPECT_TRUE(Load(all).ok()) << Load(all).status();
  }
}

TEST_F(ExperimentTest, OtherDataTakesRanksInTurn) {
  for (const char* client : {"x", "y", "z"}) {
    fs::create_directories(root_ / "data" / client);
    std::ofstream(root_ / "data" / client / "text") << "words";
  }
  const auto experiment = WithData(*Load(kMinimal), root_ / "data");
  ASSERT_TRUE(experiment.ok()) << experiment.status();
  ASSERT_EQ(experiment->clients.size(), 3u);
  EXPECT_EQ(experiment->clients[1].name, "y");
  EXPECT_EQ(experiment->clients[1].rank, 2u);
  EXPECT_EQ(experiment->clients[2].rank, 8u);
}

}  // namespace
}  // namespace cairn
