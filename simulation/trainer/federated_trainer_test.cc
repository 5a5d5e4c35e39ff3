#include "simulation/trainer/federated_trainer.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/test_directory.h"
#include "simulation/attacks/dense.h"

namespace cairn {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;

const ModelConfig kTiny{.width = 16, .layers = 1, .heads = 2, .context = 12};

// A round as the federation has it, and what PullStart answers.
struct Scripted {
  Round round;
  std::optional<Form> form;
  Lora pulled;
  absl::Status answer;  // To the upload.
};

// What the trainer said and sent; shared, as the client belongs to the trainer.
struct Seen {
  std::vector<std::string> merged;
  std::vector<Lora> updates;
};

class ScriptedClient final : public Client {
 public:
  ScriptedClient(std::deque<Scripted> script, Seen& seen) : script_(std::move(script)), seen_(seen) {}

  absl::StatusOr<Round> AwaitRound(absl::Duration) override {
    if (script_.empty()) return absl::OutOfRangeError("finished");
    return script_.front().round;
  }
  absl::StatusOr<std::optional<Form>> PullStart(const Round&, absl::string_view merged, const fs::path& directory,
                                                const ProgressCallback&) override {
    seen_.merged.emplace_back(merged);
    if (!script_.front().pulled.modules.empty()) {
      last_ = script_.front().pulled;
      Write(directory);
    }
    return script_.front().form;
  }
  absl::StatusOr<Receipt> PushBytes(const Round&, absl::string_view config, absl::string_view tensors, std::uint64_t,
                                    const ProgressCallback&) override {
    const std::string bytes(tensors);
    seen_.updates.push_back(FromAdapter(*ParseAdapter(bytes, *ParsePeftConfig(config))));
    const absl::Status answer = script_.front().answer;
    script_.pop_front();
    if (!answer.ok()) return answer;
    return Receipt{};
  }
  absl::StatusOr<std::uint64_t> Pull(std::uint64_t, Form, const fs::path& directory, const ProgressCallback&) override {
    Write(directory);
    return 1;
  }
  absl::StatusOr<Receipt> Push(const Round&, const fs::path&, std::uint64_t, const ProgressCallback&) override {
    return absl::UnimplementedError("the trainer pushes from memory");
  }
  absl::Status Leave() override { return absl::OkStatus(); }
  void Cancel() override {}

 private:
  void Write(const fs::path& directory) const { ASSERT_TRUE(WriteAdapter(*ToAdapter(last_, "base"), directory).ok()); }

  std::deque<Scripted> script_;
  Seen& seen_;
  Lora last_;
};

// An adapter as a server publishes it: scale 1, B not zero.
Lora Adapter(std::uint64_t seed, std::int64_t rank) {
  Lora lora = FreshLora(kTiny, rank, static_cast<double>(rank), seed);
  Lora other = FreshLora(kTiny, rank, static_cast<double>(rank), seed + 1000);
  for (auto& [module, factors] : lora.modules) {
    const std::int64_t d_out = factors.b.size(0), d_in = factors.a.size(1);
    factors.b = other.modules.at(module).a.repeat({1, (d_out + d_in - 1) / d_in}).narrow(1, 0, d_out).t().contiguous();
  }
  return lora;
}

Lora Without(Lora lora, const std::string& module) {
  lora.modules.erase(module);
  return lora;
}

class FederatedTrainerTest : public ::testing::Test {
 protected:
  FederatedTrainerTest() {
    UseThreads(1);
    local_ = {.name = "c", .rank = 4, .alpha = 4, .options = {.steps = 2, .batch = 2, .learning_rate = 1e-2}};
    for (int i = 0; i < 30; ++i) absl::StrAppend(&local_.train_text, "it writes line ", i, "\n");
    local_.held_out_text = local_.train_text;
  }

  static Round RoundFrom(std::uint64_t version, StartMode start, const std::string& name) {
    return {version + 1, version, start, absl::InfiniteFuture(), name, ""};
  }
  Seen Run(std::deque<Scripted> script, const std::string& attack = "") {
    Seen seen;
    auto client = std::make_unique<ScriptedClient>(std::move(script), seen);
    std::unique_ptr<Attacker> attacker;
    if (!attack.empty()) attacker = *Attacker::Create({.attack = attack}, local_.seed);
    FederatedTrainer trainer({directory_ / "work", {}}, local_, base_.Clone(), std::move(client), std::move(attacker));
    ended_ = trainer.Run();
    EXPECT_EQ(ended_.ok(), ends_well_) << ended_;
    return seen;
  }
  static std::string Bytes(const Lora& lora) { return ToAdapter(lora, "base")->safetensors; }

  const TestDirectory directory_;
  const Weights base_ = *InitWeights(kTiny, 1);
  LocalClient local_;
  bool ends_well_ = true;
  absl::Status ended_;  // What the latest trainer ended with.
};

TEST_F(FederatedTrainerTest, WhatIsMergedIsDroppedWhenTheServerBeginsAnew) {
  const Scripted first{RoundFrom(0, StartMode::kMerge, ""), std::nullopt, {}, {}};
  const Scripted fourth{RoundFrom(3, StartMode::kMerge, "three"), Form::kAdapter, Adapter(3, 4), {}};
  const Scripted anew{RoundFrom(0, StartMode::kMerge, ""), Form::kBase, {}, {}};
  const Seen seen = Run({first, fourth, anew, anew});
  EXPECT_THAT(seen.merged, ElementsAre("", "", "three", ""));
  EXPECT_EQ(Bytes(seen.updates[2]), Bytes(seen.updates[0])) << "trained on the base model again";
}

// Whoever had a version is where somebody is who pulls everything.
TEST_F(FederatedTrainerTest, AnAdapterTakesThePlaceOfWhatWasMerged) {
  const Scripted old{RoundFrom(1, StartMode::kMerge, "old one"), Form::kDelta, Adapter(3, 4), {}};
  const Scripted other{RoundFrom(2, StartMode::kMerge, "new two"), Form::kAdapter, Adapter(5, 4), {}};
  const Seen both = Run({old, other}), fresh = Run({other});
  EXPECT_THAT(both.merged, ElementsAre("", "old one"));
  EXPECT_EQ(Bytes(both.updates[1]), Bytes(fresh.updates[0]));
}

// In a residual round nobody had this module: the delta lacks it, and the checkpoint has it as it was.
TEST_F(FederatedTrainerTest, AModuleThatNobodyTrainedGoesOnAsItWas) {
  const Lora one = Adapter(3, 4);  // All of it is trained further.
  const std::string module = one.modules.begin()->first;
  const Lora delta = Without(Adapter(5, 4), module);
  Lora checkpoint = delta;
  checkpoint.modules[module] = one.modules.at(module);
  const Scripted second{RoundFrom(1, StartMode::kResidual, "one"), Form::kDelta, one, {}};
  const Scripted third{RoundFrom(2, StartMode::kResidual, "two"), Form::kDelta, delta, {}};
  Scripted late = third;
  late.form = Form::kAdapter;
  late.pulled = checkpoint;
  EXPECT_EQ(Bytes(Run({second, third}).updates[1]), Bytes(Run({late}).updates[0]));
}

// The opposite of what was learned: training takes it back, so that the units that would go shrink.
TEST_F(FederatedTrainerTest, PrunesOnlyAfterARoundThatCounted) {
  local_.options.freeze_a = true;
  local_.options.steps = 10;
  Lora published = *TrainWarm(local_, base_, nullptr, 1, nullptr);
  for (auto& [module, factors] : published.modules) factors.b = -factors.b;
  local_.prune = 0.5;
  const auto ranks = [&](const absl::Status& answer) {
    const Scripted round{RoundFrom(1, StartMode::kWarm, "one"), Form::kAdapter, published, answer};
    std::vector<std::int64_t> ranks;
    for (const Lora& update : Run({round, round}).updates) ranks.push_back(update.rank);
    return ranks;
  };
  EXPECT_THAT(ranks(absl::OkStatus()), ElementsAre(4, 2));
  EXPECT_THAT(ranks(absl::FailedPreconditionError("closed")), ElementsAre(4, 4));
}

// What an attacker that knows only itself sends, by what an honest client sends in its place: -(own - start) + start.
TEST_F(FederatedTrainerTest, AnAttackerTurnsRoundWhatItLearned) {
  const Lora published = Adapter(3, 4);
  const Scripted first{RoundFrom(0, StartMode::kMerge, ""), std::nullopt, {}, {}};
  const Scripted warm{RoundFrom(1, StartMode::kWarm, "one"), Form::kAdapter, published, {}};
  const Seen honest = Run({first, warm}), lies = Run({first, warm}, "sign_flip");
  const auto misses = [&](std::size_t round, double of_start) {
    attacks::Vector sum = *attacks::ValuesOf(lies.updates[round], published);
    attacks::AddScaled(1, *attacks::ValuesOf(honest.updates[round], published), sum);
    attacks::AddScaled(-of_start, *attacks::ValuesOf(published, published), sum);
    return attacks::NormOf(sum);
  };
  EXPECT_LT(misses(0, 0), 1e-5);
  EXPECT_LT(misses(1, 2), 1e-5);
}

TEST_F(FederatedTrainerTest, AnAttackerReplaysWhatWasPublished) {
  const Lora published = Adapter(3, 2);
  const Scripted round{RoundFrom(1, StartMode::kMerge, "one"), Form::kDelta, published, {}};
  attacks::Vector sent = *attacks::ValuesOf(Run({round}, "stale_replay").updates[0], published);
  attacks::AddScaled(-1, *attacks::ValuesOf(published, published), sent);
  EXPECT_LT(attacks::NormOf(sent), 1e-5);
}

TEST_F(FederatedTrainerTest, FlippedLabelsTeachSomethingElse) {
  const Scripted round{RoundFrom(1, StartMode::kMerge, "one"), Form::kDelta, Adapter(3, 4), {}};
  EXPECT_NE(Bytes(Run({round}).updates[0]), Bytes(Run({round}, "label_flip").updates[0]));
}

TEST_F(FederatedTrainerTest, AnAttackerGoesOnWhereTheServerRefusesWhatItSent) {
  const absl::Status refusal = absl::InvalidArgumentError("tensor x is NaN");
  const Scripted first{RoundFrom(0, StartMode::kMerge, ""), std::nullopt, {}, refusal};
  const Scripted second{RoundFrom(1, StartMode::kMerge, "one"), Form::kDelta, Adapter(3, 4), refusal};
  EXPECT_EQ(Run({first, second}, "nan").updates.size(), 2u);
}

// Its rounds would wait for it for ever.
TEST_F(FederatedTrainerTest, AnAttackerEndsWhereTheServerRefusesWhatItShouldTake) {
  const absl::Status refusal = absl::InvalidArgumentError("tensor x is too large");
  const Scripted first{RoundFrom(0, StartMode::kMerge, ""), std::nullopt, {}, refusal};
  ends_well_ = false;
  EXPECT_EQ(Run({first, first}, "half_poison:c=1e12").updates.size(), 1u);
  EXPECT_EQ(ended_, absl::InvalidArgumentError("the server refused what attack half_poison:c=1e12 makes in round 1: "
                                               "tensor x is too large"));
}

}  // namespace
}  // namespace cairn
