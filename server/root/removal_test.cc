// Which updates are removed from the root's store when they are of no use, and that those with a receipt are not.
#include <gtest/gtest.h>

#include <future>
#include <memory>

#include "server/root/testing.h"

namespace cairn {
namespace {

using testing::FederationFor;
using testing::TestCoordinator;
using testing::Update;

class RemovalTest : public ::testing::Test {
 protected:
  void StartWithTwoClients(const FederationOptions& options) {
    server_ = std::make_unique<TestCoordinator>(std::vector<FederationOptions>{options});
    const absl::Status started = server_->Start();
    ASSERT_TRUE(started.ok()) << started;
    for (const char* client : {"a", "b"}) ASSERT_TRUE(server_->Join(client).ok());
  }
  // Queues it; a client's second stream may bring the same bytes.
  std::future<absl::Status> Queue(const SealedUpdate& update) {
    auto contributed = std::make_shared<std::promise<absl::Status>>();
    (*server_)->Contribute(update, [contributed](const auto& result) { contributed->set_value(result.status()); });
    return contributed->get_future();
  }
  bool IsThere(const SealedUpdate& update) {
    return server_->store().Find("fed", UpdateName(update.key.client, update.key.sha256)).ok();
  }
  std::unique_ptr<TestCoordinator> server_;
};

TEST_F(RemovalTest, WhatIsRefusedIsRemoved) {
  StartWithTwoClients(FederationFor("fed", "stack", 2, 2));
  const SealedUpdate early = server_->Seal("a", 2, Update(1));
  EXPECT_EQ(server_->Contribute(early).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_FALSE(IsThere(early));
}

// A stream of the round before, held back until now, and its successor, in one transaction.
TEST_F(RemovalTest, ARefusedUpdateDoesNotTakeTheSameBytesWithIt) {
  StartWithTwoClients(FederationFor("fed", "stack", 1, 2));
  ASSERT_TRUE(server_->Push("a", 1, Update(1)).ok());
  ASSERT_TRUE(server_->Push("b", 1, Update(2)).ok());
  server_->AwaitVersion(1);
  const SealedUpdate late = server_->Seal("a", 1, Update(3)), update = server_->Seal("a", 2, Update(3));
  std::future<absl::Status> refused, acknowledged;
  server_->AtOnce([&] {
    refused = Queue(late);
    acknowledged = Queue(update);
  });
  EXPECT_FALSE(refused.get().ok());
  ASSERT_TRUE(acknowledged.get().ok());
  ASSERT_TRUE(IsThere(update));
  ASSERT_TRUE(server_->Push("b", 2, Update(4)).ok());
  server_->AwaitVersion(2);
}

// Its client sends to the root what lay at the node, in the transaction that gives the node up.
TEST_F(RemovalTest, ANodeThatIsGivenUpDoesNotTakeTheSameBytesWithIt) {
  FederationOptions options = FederationFor("fed", "stack", 2, 3);
  options.policy.on_node_loss = round::NodeLoss::kAskAgain;
  StartWithTwoClients(options);
  server_->NodeCame("n1");
  ASSERT_TRUE(server_->Contribute(server_->SealAt("n1", "a", 1, Update(1))).ok());
  (*server_)->NodeLeft("n1");
  const SealedUpdate again = server_->Seal("a", 1, Update(1));
  std::future<absl::Status> acknowledged;
  server_->AtOnce([&] {
    server_->clock.Advance(options.policy.node_timeout);
    (*server_)->Join("fed", "c", std::nullopt, [](const auto&) {});
    acknowledged = Queue(again);
  });
  ASSERT_TRUE(acknowledged.get().ok());
  EXPECT_TRUE(IsThere(again));
  EXPECT_EQ(server_->Now().state.clients.at("a").node, "");
}

}  // namespace
}  // namespace cairn
