#include "simulation/trainer/local_training.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace cairn {
namespace {

const ModelConfig kTiny{.width = 16, .layers = 1, .heads = 2, .context = 12};

LocalClient TestClient(const std::string& name, std::int64_t rank) {
  LocalClient client{name, rank, 2.0 * rank, 7, "", "", {.steps = 2, .batch = 2, .learning_rate = 1e-2}};
  for (int i = 0; i < 30; ++i) absl::StrAppend(&client.train_text, name, " writes line ", i, "\n");
  return client;
}

std::string Bytes(const Lora& lora) { return ToAdapter(lora, "base")->safetensors; }

class LocalTrainingTest : public ::testing::Test {
 protected:
  LocalTrainingTest() { UseThreads(1); }
  const Weights base_ = *InitWeights(kTiny, 1);
};

// What the recovery after kill -9 stands on: a process that begins with round 2 makes the update of one that did
// round 1.
TEST_F(LocalTrainingTest, ARestartedClientMakesTheSameUpdate) {
  const LocalClient client = TestClient("c", 4);
  const Lora first = *TrainFresh(client, base_, 1, nullptr);
  const Lora second = *TrainFresh(client, *Published(base_, &first), 2, nullptr);
  const Lora again = *TrainFresh(client, *Published(base_, &first), 2, nullptr);
  EXPECT_EQ(Bytes(second), Bytes(again));
  EXPECT_EQ(Bytes(*TrainWarm(client, base_, &first, 2, nullptr)), Bytes(*TrainWarm(client, base_, &first, 2, nullptr)));
}

TEST_F(LocalTrainingTest, ClientsAndRoundsDiffer) {
  LocalClient other = TestClient("d", 4);
  other.train_text = TestClient("c", 4).train_text;
  const std::string update = Bytes(*TrainFresh(TestClient("c", 4), base_, 1, nullptr));
  EXPECT_NE(update, Bytes(*TrainFresh(other, base_, 1, nullptr)));
  EXPECT_NE(update, Bytes(*TrainFresh(TestClient("c", 4), base_, 2, nullptr)));
}

TEST_F(LocalTrainingTest, WarmClientsBeginWithOneA) {
  LocalClient small = TestClient("c", 2), large = TestClient("d", 4);
  small.options.learning_rate = large.options.learning_rate = 0;
  const Lora a = *TrainWarm(small, base_, nullptr, 1, nullptr), b = *TrainWarm(large, base_, nullptr, 1, nullptr);
  for (const auto& [module, factors] : a.modules) {
    EXPECT_TRUE(at::equal(factors.a, b.modules.at(module).a.narrow(0, 0, 2))) << module;
  }
}

TEST_F(LocalTrainingTest, AFrozenAStaysAsItIs) {
  LocalClient client = TestClient("c", 4);
  client.options.freeze_a = true;
  const Lora start = WarmStart(client, kTiny, nullptr), trained = *TrainWarm(client, base_, nullptr, 1, nullptr);
  for (const auto& [module, factors] : trained.modules) {
    EXPECT_TRUE(at::equal(factors.a, start.modules.at(module).a)) << module;
    EXPECT_FALSE(at::equal(factors.b, start.modules.at(module).b)) << module;
  }
}

// What is trained further and what is merged are together what was published.
TEST_F(LocalTrainingTest, ARankSplitsAnAdapterInTwo) {
  const Lora published = *TrainWarm(TestClient("c", 6), base_, nullptr, 1, nullptr);
  LocalClient client = TestClient("d", 4);
  client.alpha = 3;
  Weights whole = base_.Clone(), parts = base_.Clone();
  ASSERT_TRUE(MergeInto(published, whole).ok());
  ASSERT_TRUE(MergeInto(WarmStart(client, kTiny, &published), parts).ok());
  ASSERT_TRUE(MergeInto(BehindRank(published, 4), parts).ok());
  for (const auto& [name, tensor] : whole.tensors)
    EXPECT_TRUE(at::allclose(tensor, parts.at(name), 1e-5, 1e-6)) << name;
  EXPECT_TRUE(BehindRank(published, 6).modules.empty());
}

TEST(PrunedRank, FollowsTheUnitsThatWouldGo) {
  EXPECT_EQ(PrunedRank(16, 0.75, 2.0, 1.9), 12);
  EXPECT_EQ(PrunedRank(16, 0.75, 2.0, 2.0), 16);
  EXPECT_EQ(PrunedRank(16, 0.75, 0.0, 0.1), 16);  // The first round: B begins as zeros.
  EXPECT_EQ(PrunedRank(5, 0.5, 2.0, 1.0), 2);
  EXPECT_EQ(PrunedRank(1, 0.5, 2.0, 1.0), 1);
}

TEST_F(LocalTrainingTest, PruningKeepsTheScale) {
  LocalClient client = TestClient("c", 4);
  const Lora published = *TrainWarm(client, base_, nullptr, 1, nullptr);
  Lora shrunk = WarmStart(client, kTiny, &published);
  for (auto& [module, factors] : shrunk.modules) factors.b = factors.b * 0.5;
  Prune(client, kTiny, &published, shrunk);
  EXPECT_EQ(client.rank, 4) << "unless asked for";
  client.prune = 0.5;
  Prune(client, kTiny, &published, WarmStart(client, kTiny, &published));
  EXPECT_EQ(client.rank, 4) << "the same is not less";
  Prune(client, kTiny, &published, shrunk);
  EXPECT_EQ(client.rank, 2);
  EXPECT_EQ(client.alpha, 4);  // alpha / rank is still 2.
}

}  // namespace
}  // namespace cairn
