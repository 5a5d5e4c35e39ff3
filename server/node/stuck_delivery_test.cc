// A node whose disk hangs under what it brings, and which attends all the same.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>

#include "absl/strings/match.h"
#include "server/node/testing.h"

namespace cairn {
namespace {

using ::testing::HasSubstr;
using testing::TestNode;
using testing::Update;

using StuckDeliveryTest = testing::AttendedNodeTest;

TEST_F(StuckDeliveryTest, TheNodeLeavesTheRootUntilItIsStartedAgain) {
  JoinBoth();
  TestNode stuck("n2");
  stuck.stuck = absl::Milliseconds(20);
  stuck.Start(root_.address());
  stuck.AwaitAttended();
  ASSERT_TRUE(stuck.Push("a", 1, Update(1)).ok());
  stuck.cut_store().Hang(true);
  ASSERT_TRUE(node_.Push("b", 1, Update(2)).ok());  // The round closes, and the root fetches a's.
  while (stuck->attended().ok()) std::this_thread::yield();
  EXPECT_THAT(std::string(stuck->attended().message()), HasSubstr("it hangs: nothing of "));
  EXPECT_EQ(stuck.CheckUpload({"fed", 2, "c", std::string(64, 'c'), 100}).status().code(),
            absl::StatusCode::kUnavailable);
  // on_node_loss decides.
  while (!absl::StrContains(node_.Now().waiting_for, "waiting for node n2")) std::this_thread::yield();
  stuck.cut_store().Hang(false);
  stuck.Stop();
  stuck.stuck = absl::InfiniteDuration();
  stuck.Start(root_.address());
  node_.AwaitVersion(1);
  EXPECT_EQ(node_.Now().outcomes->size(), 2u);
}

}  // namespace
}  // namespace cairn
