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
