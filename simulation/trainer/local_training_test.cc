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

}  // namespace
}  // namespace cairn
