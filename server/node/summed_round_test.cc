// Rounds that sum up, with a real root and nodes over loopback, in one process.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <thread>

#include "server/node/testing.h"

namespace cairn {
namespace {

using ::testing::HasSubstr;
using testing::Large;
using ::testing::Not;
using testing::TestNode;
using testing::TestRoot;
using testing::TwoClients;
using testing::Update;
using testing::UpdateBytes;

// A round that sums up: only sums move.
class SummedRoundTest : public ::testing::Test {
 protected:
  void SetUp() override {
    root_.Start();
    for (TestNode* node : {&n1_, &n2_}) {
      node->Start(root_.address());
      node->AwaitAttended();
    }
    ASSERT_TRUE(n1_.Join("a").ok() && n2_.Join("b").ok());
  }
  TestRoot root_{TwoClients("mean")};
  TestNode n1_{"n1"}, n2_{"n2"};
};

TEST_F(SummedRoundTest, NoUpdateLeavesItsNode) {
  const UpdateBytes a = Large(1), b = Large(2);
  ASSERT_TRUE(n1_.CheckUpload({"fed", 1, "a", Sha256Hex(a.safetensors), 1})->sums_up);
  ASSERT_TRUE(n1_.Push("a", 1, a).ok());
  ASSERT_TRUE(n2_.Push("b", 1, b).ok());
  n1_.AwaitVersion(1);
  EXPECT_FALSE(std::filesystem::exists(root_.directory / "objects" / "fed"));
  EXPECT_THAT(root_.metrics(), HasSubstr("cairn_node_bytes_total{federation=\"fed\",kind=\"sum\"}"));
  EXPECT_THAT(root_.metrics(), Not(HasSubstr("kind=\"update\"")));
  while (n1_.Has("a", a) || n2_.Has("b", b)) std::this_thread::yield();
}

TEST_F(SummedRoundTest, AnUpdateThatTheNodeHasLostIsAskedForAgain) {
  const UpdateBytes a = Update(1);
  ASSERT_TRUE(n1_.Push("a", 1, a).ok());
  n1_.store().Remove("fed", UpdateName("a", Sha256Hex(a.safetensors)));
  ASSERT_TRUE(n2_.Push("b", 1, Update(2)).ok());
  while (n1_.Now().state.phase != round::Phase::kOpen) std::this_thread::yield();
  EXPECT_EQ(n1_.Now().state.contributed(), 1u);
  ASSERT_TRUE(n1_.Push("a", 1, a).ok());
  n1_.AwaitVersion(1);
}

// As after a restart of a gateway that kept them in memory: all of them are asked again at once.
TEST(SummedRound, AllThatTheNodesHaveLostAreAskedForAgain) {
  FederationOptions options = TwoClients("mean");
  options.policy.clients_min = 3;
  options.policy.clients_target = 5;
  TestRoot root(options);
  root.Start();
  TestNode n1("n1"), n2("n2");
  for (TestNode* node : {&n1, &n2}) {
    node->Start(root.address());
    node->AwaitAttended();
  }
  const auto push = [](TestNode& node, const char* client) {
    const UpdateBytes update = Update(client[0]);
    ASSERT_TRUE(node.Join(client).ok() && node.Push(client, 1, update).ok());
    if (client[0] > 'a' && client[0] < 'e')
      node.store().Remove("fed", UpdateName(client, Sha256Hex(update.safetensors)));
  };
  for (const char* client : {"a", "b", "c", "d", "e"}) ASSERT_TRUE(n1.Join(client).ok());
  for (const char* client : {"a", "b", "c"}) push(n1, client);
  for (const char* client : {"d", "e"}) push(n2, client);
  while (n1.Now().state.phase != round::Phase::kOpen || n1.Now().state.contributed() == 5) std::this_thread::yield();
  EXPECT_EQ(n1.Now().state.contributed(), 2u);
  EXPECT_THAT(root.metrics(), HasSubstr("cairn_rounds_total{federation=\"fed\",outcome=\"failed\"} 1\n"));
}

TEST_F(SummedRoundTest, WaitsForANodeThatIsAway) {
  ASSERT_TRUE(n1_.Push("a", 1, Update(1)).ok());
  n1_.Stop();
  while (n2_.Now().waiting_for.find("node n1") == std::string::npos) std::this_thread::yield();
  ASSERT_TRUE(n2_.Push("b", 1, Update(2)).ok());
  EXPECT_THAT(n2_.Now().waiting_for, HasSubstr("waiting for node n1 with 1 update"));
  root_.Stop();
  root_.Start();
  n1_.Start(root_.address());
  n2_.AwaitAttended();
  n2_.AwaitVersion(1);
  EXPECT_EQ(n2_.Now().outcomes->size(), 2u);
}

}  // namespace
}  // namespace cairn
