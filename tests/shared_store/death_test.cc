// Processes that end without a word.
#include <gmock/gmock.h>

#include "absl/strings/str_cat.h"
#include "server/store/shared/packet_socket.h"
#include "tests/shared_store/puppet.h"

namespace cairn::testing {
namespace {

using ::testing::StartsWith;

class DeathTest : public AgentTest {
 protected:
  // Nothing is held, promised or mapped for anybody but the agent.
  bool NothingHeld() {
    const SharedStoreStats stats = store_->stats();
    return stats.sessions == 0 && stats.leases == 0 && stats.objects == 0 && stats.waiting == 0 &&
           stats.budget_used == 0 && stats.retired == 0 && stats.mapped == stats.idle;
  }
};

TEST_F(DeathTest, WhatAKilledWorkerHeldComesBack) {
  const auto key = Put(*store_, Pattern(1, 1000));
  ASSERT_TRUE(key.ok());
  const auto worker = Connected();
  EXPECT_EQ(worker->Ask("get " + key->ToHex()), "1000 same valid");
  const std::string unsealed = worker->Ask("create 5000000 a");
  ASSERT_TRUE(store_->Remove(*key).ok());
  EXPECT_EQ(store_->stats().budget_used, 4 * kSlab);
  worker->process().Kill();
  EXPECT_TRUE(Eventually([&] { return NothingHeld(); }));
  EXPECT_TRUE(absl::IsNotFound(store_->Get(*ObjectKey::FromHex(unsealed)).status()));
}

TEST_F(DeathTest, WhatAKilledWorkerSealedStays) {
  const auto worker = Connected();
  const std::string hex = worker->Ask("create 1000 a");
  ASSERT_EQ(worker->Ask("seal " + hex), "");
  worker->process().Kill();
  EXPECT_TRUE(Eventually([&] { return store_->stats().sessions == 0; }));
  EXPECT_EQ(Connected()->Ask("get " + hex), "1000 same valid");
  EXPECT_TRUE(Eventually([&] { return store_->stats().sessions == 0; }));
  ASSERT_TRUE(store_->Remove(*ObjectKey::FromHex(hex)).ok());
  EXPECT_TRUE(Eventually([&] { return NothingHeld(); }));
  EXPECT_EQ(store_->stats().mapped, 0u) << "kept a slab that nobody can write";
}

TEST_F(DeathTest, AKilledWorkerLeavesTheLine) {
  const auto key = Put(*store_, std::string(8 * kSlab, 'x'));
  ASSERT_TRUE(key.ok());
  const auto first = Connected(), second = Connected();
  first->Tell("create 10000000 a");
  EXPECT_TRUE(Eventually([&] { return store_->stats().waiting == 1; }));
  second->Tell("create 100 b");
  EXPECT_TRUE(Eventually([&] { return store_->stats().waiting == 2; }));
  first->process().Kill();
  EXPECT_TRUE(Eventually([&] { return store_->stats().waiting == 1; }));
  ASSERT_TRUE(store_->Remove(*key).ok());
  const std::string hex = second->Hear();
  EXPECT_EQ(second->Ask("seal " + hex), "");
  EXPECT_TRUE(Eventually([&] { return store_->stats().budget_used == kSlab; }));
}

TEST_F(DeathTest, WorkersHearThatTheAgentHasGone) {
  const auto worker = Connected();
  Close();
  EXPECT_THAT(worker->Ask("renew"), StartsWith("error UNAVAILABLE"));
  Open({.budget = 8 * kSlab});
  EXPECT_EQ(worker->Ask("connect"), "1");
}

TEST_F(DeathTest, AKilledAgentKeepsNobodyWaiting) {
  Close();
  auto agent = Child::Spawn({WorkerProgram(), "agent", socket_.native(), absl::StrCat(kSlab)}, directory_ / "log");
  ASSERT_TRUE(agent.ok()) << agent.status();
  ASSERT_TRUE(Eventually([&] { return ConnectToPackets(socket_).ok(); }));
  const auto writer = Connected(), waiter = Connected();
  const std::string hex = writer->Ask("create 10 a");
  ASSERT_EQ(hex.size(), 32u) << hex;
  waiter->Tell("create 10 b");
  EXPECT_TRUE(waiter->Silent());
  agent->Kill();
  EXPECT_THAT(waiter->Hear(), StartsWith("error UNAVAILABLE"));
  EXPECT_THAT(writer->Ask("seal " + hex), StartsWith("error UNAVAILABLE"));
  Open({.budget = kSlab});
  EXPECT_EQ(waiter->Ask("connect"), "1");
  EXPECT_EQ(waiter->Ask("create 10 b").size(), 32u);
}

TEST_F(DeathTest, NothingIsLeftOpen) {
  Close();
  EXPECT_TRUE(std::filesystem::is_empty(socket_));
  const std::size_t before = OpenDescriptors();
  Open({.budget = 8 * kSlab, .spill_directory = directory_ / "spill"});
  for (int i = 0; i < 3; ++i) {
    const auto worker = Connected();
    const std::string hex = worker->Ask("create 3000000 a");
    ASSERT_EQ(worker->Ask("seal " + hex), "");
    const auto key = Put(*store_, Pattern(i, 5'000'000));
    ASSERT_TRUE(key.ok()) << key.status();
    EXPECT_EQ(worker->Ask("get " + key->ToHex()), "5000000 same valid");
    worker->Ask("create 10 a");
    worker->process().Kill();
  }
  EXPECT_GT(OpenDescriptors(), before);
  Close();
  EXPECT_EQ(OpenDescriptors(), before);
}

}  // namespace
}  // namespace cairn::testing
