#include "simulation/trainer/cell_server.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "simulation/model/training.h"

namespace cairn {
namespace {

const ModelConfig kTiny{.width = 16, .layers = 1, .heads = 2, .context = 12};

Lora RandomLora(std::int64_t rank, double alpha, std::uint64_t seed) {
  Lora lora = FreshLora(kTiny, rank, alpha, seed);
  at::manual_seed(seed);
  for (auto& [module, factors] : lora.modules) factors.b = at::randn(factors.b.sizes());
  return lora;
}

at::Tensor ChangeOf(const Factors& factors) { return at::matmul(factors.b, factors.a) * factors.scale; }

class CellServerTest : public ::testing::Test {
 protected:
  CellServerTest() { UseThreads(1); }
};

TEST_F(CellServerTest, MixedRanksBecomeTheirWeightedMean) {
  auto server = CellServer::Create({"mean", "examples", {}, "stack", ""}, "base");
  ASSERT_TRUE(server.ok()) << server.status();
  const Lora x = RandomLora(2, 4, 1), y = RandomLora(5, 3, 2);
  const auto result = server->Combine(1, {{"x", 3, x}, {"y", 1, y}});
  ASSERT_TRUE(result.ok()) << result.status();
  ASSERT_EQ(result->modules.size(), x.modules.size());
  for (const auto& [module, factors] : result->modules) {
    const at::Tensor mean = 0.75 * ChangeOf(x.modules.at(module)) + 0.25 * ChangeOf(y.modules.at(module));
    EXPECT_TRUE(at::allclose(ChangeOf(factors), mean, 1e-4, 1e-5)) << module;
  }
}

TEST_F(CellServerTest, PublishesInTheFormAskedFor) {
  auto server = CellServer::Create({"mean", "examples", {}, "stack", "rank=3"}, "base");
  ASSERT_TRUE(server.ok()) << server.status();
  const auto result = server->Combine(1, {{"x", 1, RandomLora(4, 4, 1)}, {"y", 1, RandomLora(4, 4, 2)}});
  ASSERT_TRUE(result.ok()) << result.status();
  for (const auto& [module, factors] : result->modules) EXPECT_EQ(factors.a.size(0), 3) << module;
}

// As with a server, which refuses it when it is uploaded.
TEST_F(CellServerTest, AnUploadThatIsNoAdapterDoesNotTakePart) {
  auto server = CellServer::Create({"mean", "examples", {}, "stack", ""}, "base");
  ASSERT_TRUE(server.ok()) << server.status();
  Lora wrong = RandomLora(4, 4, 2);
  wrong.rank = 7;
  const Lora x = RandomLora(2, 4, 1);
  const auto result = server->Combine(1, {{"x", 1, x}, {"y", 1, wrong}});
  ASSERT_TRUE(result.ok()) << result.status();
  const std::string module = x.modules.begin()->first;
  EXPECT_TRUE(at::allclose(ChangeOf(result->modules.at(module)), ChangeOf(x.modules.at(module)), 1e-4, 1e-5));
  EXPECT_FALSE(server->Combine(2, {{"y", 1, wrong}}).ok());
}

TEST_F(CellServerTest, WhatAServerRefusesAsItComesDoesNotTakePart) {
  const Lora x = RandomLora(2, 4, 1);
  const std::string module = x.modules.begin()->first;
  Lora nan = x, huge = x, scaled = x, wide = RandomLora(300, 600, 2);
  nan.modules[module].b = at::full_like(x.modules.at(module).b, NAN);
  huge.modules[module].b = at::full_like(x.modules.at(module).b, 0x1p41);
  scaled.alpha = 0x1p30;
  for (const Lora& wrong : {nan, huge, scaled, wide}) {
    auto server = CellServer::Create({"mean", "examples", {}, "stack", ""}, "base");
    ASSERT_TRUE(server.ok()) << server.status();
    const auto result = server->Combine(1, {{"x", 1, x}, {"y", 1, wrong}});
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_TRUE(at::allclose(ChangeOf(result->modules.at(module)), ChangeOf(x.modules.at(module)), 1e-4, 1e-5));
  }
}

// Else it would be there in every later round.
TEST_F(CellServerTest, WhatDidNotTakePartIsNotRemembered) {
  auto server = CellServer::Create({"", "foolsgold", {}, "stack", ""}, "base");
  ASSERT_TRUE(server.ok()) << server.status();
  Lora nan = RandomLora(2, 4, 3);
  for (auto& [module, factors] : nan.modules) factors.b = at::full_like(factors.b, NAN);
  for (std::uint64_t round = 1; round <= 3; ++round) {
    const auto result = server->Combine(
        round, {{"x", 1, RandomLora(2, 4, 10 + round)}, {"y", 1, RandomLora(3, 6, 20 + round)}, {"z", 1, nan}});
    ASSERT_TRUE(result.ok()) << result.status();
  }
  EXPECT_TRUE(server->Combine(4, {{"x", 1, RandomLora(2, 4, 1)}, {"z", 1, RandomLora(2, 4, 2)}}).ok());
}

// tau is so small that what the last round gave stays, but for little: with nothing remembered that would be zero.
TEST_F(CellServerTest, RulesRememberWhatTheLastRoundGave) {
  auto server = CellServer::Create({"", "centered_clipping:tau=0.5", {}, "stack", ""}, "base");
  ASSERT_TRUE(server.ok()) << server.status();
  const Lora x = RandomLora(3, 6, 1);
  double last = 0;
  for (std::uint64_t round = 1; round <= 3; ++round) {
    const auto result = server->Combine(round, {{"x", 1, x}, {"y", 1, x}});
    ASSERT_TRUE(result.ok()) << result.status();
    double squares = 0;
    for (const auto& [module, factors] : result->modules) {
      squares += at::square(ChangeOf(factors)).sum().item<double>();
    }
    EXPECT_NEAR(std::sqrt(squares), last + 0.5, 1e-3) << round;
    last = std::sqrt(squares);
  }
}

// x and y always say the same, z another thing every time: with what was sent before, x and y are alike.
TEST_F(CellServerTest, RulesRememberWhatEachClientSent) {
  auto server = CellServer::Create({"", "foolsgold", {}, "stack", ""}, "base");
  ASSERT_TRUE(server.ok()) << server.status();
  const Lora same = RandomLora(2, 4, 1);
  absl::StatusOr<Lora> result = absl::UnknownError("");
  Lora z;
  for (std::uint64_t round = 1; round <= 3; ++round) {
    const Lora noise = RandomLora(2, 4, 10 + round);
    z = RandomLora(3, 6, 20 + round);
    Lora x = same, y = same;
    for (auto& [module, factors] : x.modules) factors.b = factors.b + 0.8 * noise.modules.at(module).b;
    for (auto& [module, factors] : y.modules) factors.b = factors.b - 0.8 * noise.modules.at(module).b;
    result = server->Combine(round, {{"x", 1, x}, {"y", 1, y}, {"z", 1, z}});
    ASSERT_TRUE(result.ok()) << result.status();
  }
  const std::string module = z.modules.begin()->first;
  EXPECT_TRUE(at::allclose(ChangeOf(result->modules.at(module)), ChangeOf(z.modules.at(module)), 1e-3, 1e-3));
}

TEST_F(CellServerTest, WrongRulesAreRefusedAtOnce) {
  EXPECT_EQ(CellServer::Create({"", "magic", {}, "stack", ""}, "").status().code(), absl::StatusCode::kNotFound);
  EXPECT_FALSE(CellServer::Create({"", "examples", {}, "stack", "rank=many"}, "").ok());
}

}  // namespace
}  // namespace cairn
