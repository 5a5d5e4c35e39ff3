#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "simulation/model/lora.h"
#include "simulation/model/training.h"
#include "simulation/model/transformer.h"
#include "simulation/model/weights.h"

namespace cairn {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

const ModelConfig kTiny{.width = 16, .layers = 2, .heads = 2, .context = 12};

std::string Text() {
  std::string text;
  for (int i = 0; i < 40; ++i) absl::StrAppend(&text, "line ", i * 7 % 13, " of a small text.\n");
  return text;
}

at::Tensor Tokens() {
  at::Tensor tokens = at::empty({2, 12}, at::kLong);
  for (int i = 0; i < 24; ++i) tokens.data_ptr<std::int64_t>()[i] = (i * 37 + 11) % 256;
  return tokens;
}

// An adapter whose B is not zero any more.
Lora Trained(const Weights& base, std::int64_t rank, std::uint64_t seed = 1) {
  Lora lora = FreshLora(base.config, rank, 2.0 * rank, seed);
  EXPECT_TRUE(TrainLora(base, lora, Text(), {.steps = 3, .batch = 2, .learning_rate = 1e-2, .seed = seed}).ok());
  return lora;
}

fs::path TempFolder(const char* name) {
  const fs::path path = fs::path(::testing::TempDir()) / absl::StrCat("model_test_", name, "_", ::getpid());
  fs::remove_all(path);
  fs::create_directories(path);
  return path;
}

class ModelTest : public ::testing::Test {
 protected:
  ModelTest() { UseThreads(1); }
  const Weights base_ = *InitWeights(kTiny, 5);
};

TEST_F(ModelTest, LogitsOfAByteDoNotDependOnLaterBytes) {
  at::Tensor tokens = Tokens();
  const at::Tensor before = Logits(base_, nullptr, tokens).narrow(1, 0, 6).clone();
  tokens.narrow(1, 6, 6).fill_(65);
  EXPECT_TRUE(at::equal(before, Logits(base_, nullptr, tokens).narrow(1, 0, 6)));
}

TEST_F(ModelTest, FreshAdapterChangesNothing) {
  const Lora lora = FreshLora(kTiny, 4, 8, 1);
  EXPECT_TRUE(at::equal(Logits(base_, nullptr, Tokens()), Logits(base_, &lora, Tokens())));
}

TEST_F(ModelTest, TrainingMovesTheFactorsAndNotTheBase) {
  const Weights before = base_.Clone();
  const Lora fresh = FreshLora(kTiny, 4, 8, 1), trained = Trained(base_, 4);
  for (const auto& [name, tensor] : base_.tensors) {
    EXPECT_TRUE(at::equal(tensor, before.at(name))) << name;
    EXPECT_FALSE(tensor.grad().defined()) << name;
  }
  for (const auto& [module, factors] : trained.modules) {
    EXPECT_FALSE(at::equal(factors.a, fresh.modules.at(module).a)) << module;
    EXPECT_FALSE(at::equal(factors.b, fresh.modules.at(module).b)) << module;
  }
}

TEST_F(ModelTest, TrainingLowersTheLoss) {
  Weights weights = base_.Clone();
  const double before = *HeldOutLoss(weights, nullptr, Text());
  ASSERT_TRUE(TrainWeights(weights, Text(), {.steps = 30, .batch = 4, .learning_rate = 1e-2}).ok());
  EXPECT_LT(*HeldOutLoss(weights, nullptr, Text()), before - 0.5);
}

TEST_F(ModelTest, FlippedLabelsAreLearnedInPlaceOfTheText) {
  Weights weights = base_.Clone();
  at::Tensor tokens = at::empty({1, 13}, at::kLong);
  for (int i = 0; i < 13; ++i) tokens.data_ptr<std::int64_t>()[i] = static_cast<unsigned char>(Text()[i]);
  const auto loss = [&](bool flip) { return Loss(weights, nullptr, tokens, flip).item<double>(); };
  const double before = loss(true);
  const TrainOptions options{.steps = 30, .batch = 4, .learning_rate = 1e-2, .flip_labels = true};
  ASSERT_TRUE(TrainWeights(weights, Text(), options).ok());
  EXPECT_LT(loss(true), before - 0.5);
  EXPECT_LT(loss(true), loss(false));
}

TEST_F(ModelTest, SameSeedsGiveTheSameBytes) {
  const auto first = ToAdapter(Trained(base_, 4), "base"), second = ToAdapter(Trained(base_, 4), "base");
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(first->safetensors, second->safetensors);
  EXPECT_EQ(first->config_json, second->config_json);
  EXPECT_NE(first->safetensors, ToAdapter(Trained(base_, 4, 2), "base")->safetensors);
}

TEST_F(ModelTest, AdapterDirectoryRoundTripGivesTheSameLogits) {
  const fs::path folder = TempFolder("round_trip");
  const Lora lora = Trained(base_, 4);
  ASSERT_TRUE(WriteAdapter(*ToAdapter(lora, "base"), folder).ok());
  const auto read = ReadAdapter(folder);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_TRUE(at::equal(Logits(base_, &lora, Tokens()), Logits(base_, &*read, Tokens())));
  fs::remove_all(folder);
}

TEST_F(ModelTest, MergedWeightsGiveTheAdaptersLogits) {
  const Lora lora = Trained(base_, 4);
  Weights merged = base_.Clone();
  ASSERT_TRUE(MergeInto(lora, merged).ok());
  const at::Tensor expected = Logits(base_, &lora, Tokens());
  EXPECT_FALSE(at::allclose(Logits(base_, nullptr, Tokens()), expected, 1e-3, 1e-3));
  EXPECT_TRUE(at::allclose(Logits(merged, nullptr, Tokens()), expected, 1e-4, 1e-5));
}

TEST_F(ModelTest, MergeRefusesAForeignModule) {
  Lora lora;
  lora.modules["layers.9.attn.q_proj"] = {at::zeros({1, 16}), at::zeros({16, 1}), 1};
  Weights weights = base_.Clone();
  EXPECT_THAT(MergeInto(lora, weights).message(), HasSubstr("layers.9.attn.q_proj is not in the base model"));
}

TEST_F(ModelTest, CutKeepsTheFirstUnitsAndTheirProduct) {
  const Lora published = Trained(base_, 4);                          // scale 2
  const Lora cut = CutToRank(published, FreshLora(kTiny, 2, 1, 9));  // scale 1/2
  const Factors& from = published.modules.at("layers.0.attn.q_proj");
  const Factors& to = cut.modules.at("layers.0.attn.q_proj");
  EXPECT_TRUE(at::equal(to.a, from.a.narrow(0, 0, 2)));
  const at::Tensor expected = at::matmul(from.b.narrow(1, 0, 2), from.a.narrow(0, 0, 2)) * from.scale;
  EXPECT_TRUE(at::allclose(at::matmul(to.b, to.a) * to.scale, expected));
}

TEST_F(ModelTest, CutFillsUpWithUnitsThatAddNothingYet) {
  const Lora published = Trained(base_, 2);
  const Lora fresh = FreshLora(kTiny, 4, 8, 9);
  const Lora cut = CutToRank(published, fresh);
  EXPECT_TRUE(at::equal(cut.modules.at("layers.1.mlp.up_proj").a.narrow(0, 2, 2),
                        fresh.modules.at("layers.1.mlp.up_proj").a.narrow(0, 2, 2)));
  EXPECT_TRUE(at::allclose(Logits(base_, &cut, Tokens()), Logits(base_, &published, Tokens()), 1e-4, 1e-5));
}

TEST_F(ModelTest, SmallerFreshRankIsTheBeginningOfALargerOne) {
  const Lora small = FreshLora(kTiny, 2, 4, 3), large = FreshLora(kTiny, 8, 16, 3);
  EXPECT_TRUE(at::equal(small.modules.at("layers.0.mlp.down_proj").a,
                        large.modules.at("layers.0.mlp.down_proj").a.narrow(0, 0, 2)));
}

TEST_F(ModelTest, BaseFileRoundTrip) {
  const fs::path folder = TempFolder("base");
  ASSERT_TRUE(SaveWeights(base_, folder / "base.safetensors").ok());
  const auto loaded = LoadWeights(folder / "base.safetensors");
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->config, kTiny);
  EXPECT_THAT(loaded->base_model, HasSubstr("cairn/byte-lm-"));
  for (const auto& [name, tensor] : base_.tensors) EXPECT_TRUE(at::equal(tensor, loaded->at(name))) << name;
  fs::remove_all(folder);
}

TEST_F(ModelTest, HeldOutLossCountsTheLastPartialWindow) {
  // 12 + 12 + 5 predicted bytes; the mean over all of them, each window alone.
  const std::string text = Text().substr(0, 30);
  const double whole = *HeldOutLoss(base_, nullptr, text) * 29;
  const double parts =
      *HeldOutLoss(base_, nullptr, text.substr(0, 25)) * 24 + *HeldOutLoss(base_, nullptr, text.substr(24)) * 5;
  EXPECT_NEAR(whole, parts, 1e-3);
}

TEST_F(ModelTest, TooLittleTextIsAnError) {
  Lora lora = FreshLora(kTiny, 2, 4, 3);
  EXPECT_THAT(TrainLora(base_, lora, "short", {}).message(), HasSubstr("expected at least 13 bytes"));
  EXPECT_FALSE(HeldOutLoss(base_, nullptr, "x").ok());
}

TEST(ModelConfig, ChecksNameTheField) {
  EXPECT_THAT(CheckModelConfig({.width = 10, .heads = 4}).message(), HasSubstr("model.width: expected a multiple"));
  EXPECT_THAT(CheckModelConfig({.layers = 0}).message(), HasSubstr("model.layers: expected 1 to 64, got 0"));
  EXPECT_THAT(ModelConfigFromMetadata({}).status().message(), HasSubstr("\"width\": expected a number, got nothing"));
}

}  // namespace
}  // namespace cairn
