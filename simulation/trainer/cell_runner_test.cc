#include "simulation/trainer/cell_runner.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "absl/strings/str_cat.h"

namespace cairn {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const ModelConfig kTiny{.width = 16, .layers = 1, .heads = 2, .context = 12};

// What the fake attacks were asked.
struct Asked {
  std::size_t honest = 0, clients = 0, attackers = 0;
  std::vector<std::size_t> attacker;
  std::vector<bool> last;
  std::vector<std::uint64_t> seeds, rounds;
};

// Its own update, with B multiplied.
class Multiplied final : public Attack {
 public:
  Multiplied(double factor, bool flips, Asked* asked) : factor_(factor), flips_(flips), asked_(asked) {}
  bool flips_labels() const override { return flips_; }
  absl::StatusOr<Lora> Forge(const AttackerView& view) const override {
    asked_->honest = view.honest.size();
    asked_->clients = view.clients;
    asked_->attackers = view.attackers;
    asked_->attacker.push_back(view.attacker);
    asked_->last.push_back(view.last != nullptr);
    asked_->seeds.push_back(view.seed);
    asked_->rounds.push_back(view.round);
    Lora update = *view.own;
    for (auto& [module, factors] : update.modules) factors.b = factors.b * factor_;
    return update;
  }

 private:
  double factor_;
  bool flips_;
  Asked* asked_;
};

// As large as a server takes it: products overflow.
class Huge final : public Attack {
 public:
  absl::StatusOr<Lora> Forge(const AttackerView& view) const override {
    Lora update = *view.own;
    for (auto& [module, factors] : update.modules) factors.a = factors.a * 1e12, factors.b = factors.b * 1e12;
    return update;
  }
};

std::string Lines(const std::string& word) {
  std::string text;
  for (int i = 0; i < 60; ++i) absl::StrAppend(&text, word, " writes line ", i, "\n");
  return text;
}

class CellRunnerTest : public ::testing::Test {
 protected:
  CellRunnerTest() { UseThreads(1); }

  CellRunner Runner() {
    CellSettings settings{*InitWeights(kTiny, 1), {Lines("one"), Lines("other")}, {Lines("one"), Lines("other")}};
    settings.participants = 4;
    settings.ranks = {2, 4};
    settings.rounds = 3;
    settings.training = {.steps = 6, .batch = 4, .learning_rate = 3e-2};
    return CellRunner(std::move(settings), [this](absl::string_view spec) -> absl::StatusOr<std::unique_ptr<Attack>> {
      if (spec == "against") return std::make_unique<Multiplied>(-30, false, &asked_);
      if (spec == "honest") return std::make_unique<Multiplied>(1, false, &asked_);
      if (spec == "flipped") return std::make_unique<Multiplied>(1, true, &asked_);
      if (spec == "huge") return std::make_unique<Huge>();
      return absl::NotFoundError(absl::StrCat("no attack is called ", std::string(spec)));
    });
  }
  static Cell CellOf(const std::string& attack, std::uint32_t faulty) {
    return {{"mean", "examples", {}, "stack", ""}, attack, 1.0, faulty, 5};
  }
  static double Final(CellRunner& runner, const Cell& cell) {
    const auto result = runner.Run(cell);
    EXPECT_TRUE(result.ok()) << result.status();
    return result.ok() ? result->final_loss() : NAN;
  }

  Asked asked_;
};

TEST_F(CellRunnerTest, WithoutAttackersTheModelLearns) {
  CellRunner runner = Runner();
  const auto result = runner.Run(CellOf("none", 0));
  ASSERT_TRUE(result.ok()) << result.status();
  ASSERT_EQ(result->losses.size(), 3u);
  EXPECT_LT(result->losses[0], result->base - 0.01);
  EXPECT_LT(result->losses[2], result->losses[0]);
  EXPECT_GT(result->seconds, 0);
}

TEST_F(CellRunnerTest, ACellDoesNotDependOnEarlierOnes) {
  CellRunner runner = Runner(), other = Runner();
  const double first = Final(runner, CellOf("against", 1));
  Cell seed = CellOf("against", 1);
  seed.seed = 6;
  EXPECT_NE(Final(runner, seed), first);
  Final(runner, CellOf("flipped", 1));
  EXPECT_EQ(Final(runner, CellOf("against", 1)), first);
  EXPECT_EQ(Final(other, CellOf("against", 1)), first);
}

TEST_F(CellRunnerTest, AnAttackThatDoesNothingChangesNothing) {
  CellRunner runner = Runner();
  EXPECT_EQ(Final(runner, CellOf("honest", 2)), Final(runner, CellOf("none", 0)));
}

TEST_F(CellRunnerTest, AttackersWorsenTheMean) {
  CellRunner runner = Runner();
  const double clean = Final(runner, CellOf("none", 0)), one = Final(runner, CellOf("against", 1));
  EXPECT_GT(one, clean + 0.1);
  EXPECT_GT(Final(runner, CellOf("against", 2)), one);
  EXPECT_GT(Final(runner, CellOf("flipped", 2)), clean);
}

TEST_F(CellRunnerTest, AttackersSeeWhatTheHonestSend) {
  CellRunner runner = Runner();
  Final(runner, CellOf("against", 2));
  EXPECT_EQ(asked_.clients, 4u);
  EXPECT_EQ(asked_.honest, 2u);
  EXPECT_EQ(asked_.attackers, 2u);
  EXPECT_THAT(asked_.attacker, ElementsAre(0, 1, 0, 1, 0, 1));
  EXPECT_THAT(asked_.last, ElementsAre(false, false, true, true, true, true));
  EXPECT_THAT(asked_.seeds, Each(asked_.seeds.front())) << "accomplices and rounds share a seed";
  EXPECT_THAT(asked_.rounds, ElementsAre(1, 1, 2, 2, 3, 3));
}

TEST_F(CellRunnerTest, ABrokenModelHasAnInfiniteLoss) {
  CellRunner runner = Runner();
  const auto result = runner.Run(CellOf("huge", 2));
  ASSERT_TRUE(result.ok()) << result.status();
  ASSERT_EQ(result->losses.size(), 3u);
  EXPECT_TRUE(std::isinf(result->final_loss()));
}

TEST_F(CellRunnerTest, ErrorsSayWhatIsWrong) {
  CellRunner runner = Runner();
  EXPECT_THAT(runner.Run(CellOf("magic", 1)).status().message(), HasSubstr("no attack is called magic"));
  EXPECT_THAT(runner.Run(CellOf("against", 4)).status().message(), HasSubstr("fewer than the 4 participants, got 4"));
  Cell cell = CellOf("none", 0);
  cell.rule.rule = "magic";
  EXPECT_EQ(runner.Run(cell).status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace cairn
