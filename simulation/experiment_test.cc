#include "simulation/experiment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "absl/strings/str_cat.h"
#include "aggregators/rule.h"

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

// A rule that needs three clients and trusts one of them.
class TrustsB final : public Rule {
 public:
  absl::string_view name() const override { return "trusts_b"; }
  Needs needs() const override { return {.client = "b"}; }
  absl::Status CheckClients(std::size_t columns, std::size_t faulty) const override {
    return CheckBound("rule trusts_b", columns, faulty, 3, "n >= 3");
  }
  absl::StatusOr<RuleOutput> Weigh(const RuleInput&) const override { return absl::UnimplementedError("not run"); }
};
CAIRN_REGISTER_RULE("trusts_b", TrustsB);

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

// Five clients, two of whom lie together.
constexpr char kAttacked[] =
    "name: test\ndata: /texts\nclients:\n"
    "  - {name: a, rank: 4, documents: [one]}\n  - {name: b, rank: 4, documents: [two]}\n"
    "  - {name: c, rank: 4, documents: [one]}\n"
    "  - {name: x, rank: 4, documents: [two], attack: 'ipm:epsilon=2'}\n"
    "  - {name: y, rank: 4, documents: [two], attack: 'ipm:epsilon=2'}\n";

TEST_F(ExperimentTest, ClientsMayAttackTogether) {
  const auto experiment = Load(kAttacked);
  ASSERT_TRUE(experiment.ok()) << experiment.status();
  EXPECT_EQ(experiment->clients[0].attack, "");
  EXPECT_EQ(experiment->clients[4].attack, "ipm:epsilon=2");
  const Accomplice last = AccompliceOf(*experiment, experiment->clients[4]);
  EXPECT_EQ(last.number, 1u);
  EXPECT_EQ(last.of, 2u);
  EXPECT_EQ(ContributorsOf(*experiment), 5u);
}

// They share files, which those of another attack must not find.
TEST_F(ExperimentTest, AttacksAreToldApartWhateverTheirNames) {
  const auto experiment = Load(absl::StrCat(kAttacked,
                                            "  - {name: z, rank: 4, documents: [two], attack: 'alie:z=1e-1'}\n"
                                            "  - {name: w, rank: 4, documents: [two], attack: 'alie:z=1e+1'}\n"));
  ASSERT_TRUE(experiment.ok()) << experiment.status();
  std::vector<std::size_t> attacks;
  for (std::size_t i = 3; i < 7; ++i) attacks.push_back(AccompliceOf(*experiment, experiment->clients[i]).attack);
  EXPECT_THAT(attacks, ElementsAre(0, 0, 1, 2));
}

TEST_F(ExperimentTest, NobodyWaitsForWhatNoServerTakes) {
  const auto experiment =
      Load(absl::StrCat(kMinimal, "  - {name: x, rank: 4, documents: [two], attack: nan}\nmethods: [stack]\n"));
  ASSERT_TRUE(experiment.ok()) << experiment.status();
  EXPECT_EQ(ContributorsOf(*experiment), 2u);
}

TEST_F(ExperimentTest, AttacksAreCheckedBeforeAnythingRuns) {
  const std::string liar = absl::StrCat(kEqual, "  - {name: x, rank: 4, documents: [two], attack: ");
  EXPECT_THAT(Load(liar + "bribe}\n").status().message(), HasSubstr("\"attack of client x\": expected an attack, got"));
  EXPECT_THAT(Load("name: x\ndata: y\nclients:\n  - {name: a, rank: 1, documents: [b], attack: ipm}\n"
                   "  - {name: c, rank: 1, documents: [b], attack: ipm}\n")
                  .status()
                  .message(),
              HasSubstr("at least one that does not attack"));
}

// An attacker whose update is refused would leave every round waiting for it.
TEST_F(ExperimentTest, RulesThatWantUpdatesAlikeGetThemFromAttackersToo) {
  const auto load = [&](const std::string& attack, const std::string& method) {
    return Load(absl::StrCat(kEqual, "  - {name: x, rank: 4, documents: [two], attack: '", attack, "'}\nmethods: [",
                             method, "]\n"))
        .status();
  };
  EXPECT_THAT(load("alie", "mean").message(),
              HasSubstr("(x sends what attack alie makes, of any rank unless rank=N is given)"));
  EXPECT_TRUE(load("alie:rank=4", "mean").ok());
  EXPECT_TRUE(load("alie", "stack").ok());
  EXPECT_FALSE(load("rank_inflation", "mean").ok());
  EXPECT_FALSE(load("fake_alpha", "mean").ok());
  EXPECT_TRUE(load("rescale", "mean").ok());
  EXPECT_FALSE(load("rescale", "ffa").ok()) << "its A is another";
  EXPECT_FALSE(load("alie:rank=4", "ffa").ok()) << "its A is another";
  EXPECT_TRUE(load("half_poison", "ffa").ok());
}

// The server's bounds on ranks and scales, which hold for honest clients as well.
TEST_F(ExperimentTest, UploadsAreWithinTheBoundsOfAServer) {
  const auto load = [&](const std::string& client, const std::string& method = "stack") {
    return Load(absl::StrCat(kEqual, "  - {name: x, documents: [two], ", client, "}\nmethods: [", method, "]\n"))
        .status();
  };
  EXPECT_THAT(load("rank: 16, attack: 'rank_inflation:times=64'").message(),
              HasSubstr("\"clients\": expected what a server takes, got client x: rank 1024, expected at most 256 for "
                        "weights of rank 96 (x sends what attack rank_inflation:times=64 makes)"));
  EXPECT_THAT(load("rank: 4, attack: 'fake_alpha:c=1e8'").message(),
              HasSubstr("client x: scale (alpha / rank) 2e+08, expected at most 1.67772e+07"));
  EXPECT_THAT(load("rank: 257").message(), HasSubstr("client x: rank 257, expected at most 256"));
  EXPECT_TRUE(load("rank: 257", "alone").ok()) << "no server is asked";
  EXPECT_TRUE(load("rank: 16, attack: 'rank_inflation:times=16'").ok());
  EXPECT_TRUE(load("rank: 4, attack: 'fake_alpha:c=8e6'").ok());
}

TEST_F(ExperimentTest, RulesAndGuardsAreCheckedBeforeAnythingRuns) {
  const auto experiment = Load(absl::StrCat(kMinimal, "rule: examples\n"));
  ASSERT_TRUE(experiment.ok()) << experiment.status();
  EXPECT_EQ(experiment->rule, "examples");
  EXPECT_THAT(Load(absl::StrCat(kMinimal, "rule: dice\n")).status().message(), HasSubstr("\"rule\": expected"));
  EXPECT_THAT(Load(absl::StrCat(kMinimal, "rule: trusts_b\n")).status().message(), HasSubstr("at least 3 clients"));
  const std::string three = absl::StrCat("rule: trusts_b\n", kMinimal, "  - {name: c, rank: 4, documents: [two]");
  EXPECT_TRUE(Load(three + "}\n").ok()) << Load(three + "}\n").status();
  EXPECT_THAT(Load(three + ", attack: nan}\n").status().message(), HasSubstr("at least 3 clients"));
  std::string without_b = three + "}\n";
  without_b.replace(without_b.find("name: b"), 7, "name: d");
  EXPECT_THAT(Load(without_b).status().message(), HasSubstr("trusts client b, which is none of the clients"));
  EXPECT_THAT(Load(absl::StrCat(kMinimal, "guards: [walls]\n")).status().message(), HasSubstr("walls"));
}

TEST_F(ExperimentTest, RulesMayLookAtLess) {
  const std::string keys = "rule: median\nrule_modules: [q_proj]\nrelative_to_published: true\nmethods: [";
  const auto experiment = Load(absl::StrCat(kMinimal, keys, "svd, stack]\n"));
  ASSERT_TRUE(experiment.ok()) << experiment.status();
  EXPECT_THAT(experiment->rule_modules, ElementsAre("q_proj"));
  EXPECT_TRUE(experiment->relative_to_published);
  EXPECT_THAT(Load(absl::StrCat(kMinimal, "relative_to_published: true\nmethods: [zero_pad]\n")).status().message(),
              HasSubstr("measured from an adapter need a sum of products, and combine zero_pad averages"));
}

TEST_F(ExperimentTest, AnotherSeedOfAGridKeepsItsBaseModel) {
  Experiment experiment = *Load(kMinimal);
  EXPECT_EQ(WithSeed(experiment, 7).seed, 7u);
  experiment.seed = 1;
  experiment.grid = Grid{.seeds = {1, 2}};
  const Experiment other = WithSeed(experiment, 7);
  EXPECT_EQ(other.seed, 1u);
  EXPECT_THAT(other.grid->seeds, ElementsAre(7));
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

TEST_F(ExperimentTest, OtherDataIsCheckedForItsNumberOfClients) {
  for (const char* client : {"b", "z"}) {
    fs::create_directories(root_ / "data" / client);
    std::ofstream(root_ / "data" / client / "text") << "words";
  }
  const auto three = Load(absl::StrCat("rule: trusts_b\n", kMinimal, "  - {name: c, rank: 4, documents: [two]}\n"));
  ASSERT_TRUE(three.ok()) << three.status();
  EXPECT_THAT(WithData(*three, root_ / "data").status().message(), HasSubstr("at least 3 clients"));
}

}  // namespace
}  // namespace cairn
