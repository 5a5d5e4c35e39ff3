// Which process is a node, and which root's.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>

#include "server/node/testing.h"

namespace cairn {
namespace {

using ::testing::HasSubstr;
using testing::TestNode;
using testing::TestRoot;
using testing::TwoClients;
using testing::Update;
using testing::UpdateBytes;

using NodeNamesTest = testing::AttendedNodeTest;

TEST_F(NodeNamesTest, TwoNodesOfOneNameAreOneTooMany) {
  TestNode other("n1");
  other.Start(root_.address(), "another directory");
  while (absl::IsUnavailable(other->attended())) std::this_thread::yield();
  EXPECT_EQ(other->attended().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_TRUE(node_->attended().ok());
}

TEST_F(NodeNamesTest, OfTwoProcessesWithOneDirectoryTheFirstAttends) {
  JoinBoth();
  const UpdateBytes a = Update(1);
  ASSERT_TRUE(node_.Push("a", 1, a).ok());
  TestNode copy("n1");
  copy.Start(root_.address(), node_.directory.path());
  while (absl::IsUnavailable(copy->attended())) std::this_thread::yield();
  EXPECT_EQ(copy->attended().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(std::string(copy->attended().message()), HasSubstr("this data directory or a copy of it"));
  const absl::Status refused = copy.Contribute(copy.Seal("b", 1, Update(2))).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("does not attend the root: another process"));
  EXPECT_TRUE(node_->attended().ok());
  ASSERT_TRUE(node_.Push("b", 1, Update(2)).ok());
  node_.AwaitVersion(1);
  node_.Stop();
  copy.AwaitAttended();
}

// Whatever it believes itself.
TEST_F(NodeNamesTest, AProcessThatDoesNotAttendIsNotHeard) {
  RootConnection stranger(root_.address(), grpc::InsecureChannelCredentials());
  const auto expect = [](const grpc::Status& status) {
    EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
    EXPECT_THAT(status.error_message(), HasSubstr("another process attends as node n1"));
  };
  grpc::ClientContext contributes, keeps;
  v1::ContributeRequest update;
  v1::ContributeReply receipt;
  update.set_node("n1");
  update.set_process(1);
  expect(stranger.node().Contribute(&contributes, update, &receipt));
  v1::KeepRequest asked;
  v1::KeepReply kept;
  asked.set_node("n1");
  asked.set_federation("fed");
  expect(stranger.node().Keep(&keeps, asked, &kept));
}

TEST_F(NodeNamesTest, ANameStaysWithTheDirectoryThatHasItsUpdates) {
  JoinBoth();
  ASSERT_TRUE(node_.Push("a", 1, Update(1)).ok());
  node_.Stop();
  TestNode other("n1");
  other.Start(root_.address(), "another directory");
  while (other->attended().code() != absl::StatusCode::kFailedPrecondition) std::this_thread::yield();
  EXPECT_THAT(std::string(other->attended().message()),
              HasSubstr("node \"n1\" has 1 acknowledged update in another data directory"));
  const absl::Status refused = other.Contribute(other.Seal("b", 1, Update(2))).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("in another data directory"));
  EXPECT_TRUE(other.Has("b", Update(2)));
  other.Stop();
  node_.Start(root_.address());
  node_.AwaitAttended();
  ASSERT_TRUE(node_.Push("b", 1, Update(2)).ok());
  node_.AwaitVersion(1);
  EXPECT_EQ(node_.Now().outcomes->size(), 2u);
  // Nothing of the name's is anywhere now.
  node_.Stop();
  other.Start(root_.address(), "another directory");
  other.AwaitAttended();
}

TEST_F(NodeNamesTest, AnotherRootIsNotAttended) {
  JoinBoth();
  const UpdateBytes a = Update(1);
  ASSERT_TRUE(node_.Push("a", 1, a).ok());
  node_.Stop();
  TestRoot other(TwoClients("stack"));
  other.Start();
  node_.Start(other.address());
  while (node_->attended().code() != absl::StatusCode::kFailedPrecondition) std::this_thread::yield();
  EXPECT_THAT(std::string(node_->attended().message()), HasSubstr("belongs to the nodes of root"));
  EXPECT_EQ(node_.Contribute(node_.Seal("b", 1, Update(2))).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(node_.Has("a", a));
  node_.Stop();
}

}  // namespace
}  // namespace cairn
