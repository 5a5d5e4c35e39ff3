// What a federation tells and keeps of clients that its rule voted down, and how it waits for one that the rule needs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <mutex>

#include "server/root/testing.h"

namespace cairn {
namespace {

using testing::FederationFor;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::TestCoordinator;
using testing::Update;

class OutcomeTest : public ::testing::Test {
 protected:
  void Start(const std::string& rule, std::uint32_t clients) {
    FederationOptions options = FederationFor("fed", "stack", clients, clients);
    options.method.rule = rule;
    server_ = std::make_unique<TestCoordinator>(
        std::vector<FederationOptions>{options, FederationFor("other", "stack", 1, 1)});
    const absl::Status started = server_->Start();
    ASSERT_TRUE(started.ok()) << started;
  }
  void Join(const std::vector<std::string>& clients) {
    for (const std::string& client : clients) ASSERT_TRUE(server_->Join(client).ok());
  }
  absl::Status Push(const std::string& client, std::uint64_t round, std::uint64_t examples) {
    return server_->Contribute(server_->Seal(client, round, Update(client[0] + round), examples)).status();
  }
  void Listen() {
    ASSERT_TRUE(server_
                    ->Subscribe([this](const Notice& notice) {
                      std::lock_guard lock(mutex_);
                      if (notice.kind == Notice::Kind::kPublished) details_.push_back(notice.detail);
                    })
                    .ok());
  }

  std::unique_ptr<TestCoordinator> server_;
  std::mutex mutex_;
  std::vector<std::string> details_;  // Of published versions.
};

TEST_F(OutcomeTest, WhoWasVotedDownIsToldAndKept) {
  Start("test_fewest", 3);
  Join({"a", "b", "c"});
  Listen();
  EXPECT_EQ(server_->Now().outcomes, nullptr);
  for (const auto& [client, examples] : {std::pair{"a", 5}, {"b", 1}, {"c", 4}}) {
    ASSERT_TRUE(Push(client, 1, examples).ok());
  }
  server_->AwaitVersion(1);
  for (int restarts = 0; restarts < 2; ++restarts) {
    const Snapshot now = server_->Now();
    ASSERT_NE(now.outcomes, nullptr);
    ASSERT_EQ(now.outcomes->size(), 3u);
    EXPECT_EQ(now.outcomes->at(0).client, "a");
    EXPECT_EQ(now.outcomes->at(0).weight, 0.5);
    EXPECT_TRUE(now.outcomes->at(0).accepted);
    EXPECT_EQ(now.outcomes->at(0).distance, std::nullopt);
    EXPECT_EQ(now.outcomes->at(1).weight, 0);
    EXPECT_FALSE(now.outcomes->at(1).accepted);
    EXPECT_EQ(now.outcomes->at(1).reason, "only 1 examples");
    const std::string metrics = server_->metrics.Render();
    EXPECT_THAT(metrics, HasSubstr("cairn_client_weight{client=\"a\",federation=\"fed\"} 0.5\n"));
    EXPECT_THAT(metrics, HasSubstr("cairn_client_dropped_total{client=\"b\",federation=\"fed\"} 1\n")) << "once";
    EXPECT_THAT(metrics, HasSubstr("cairn_clients_dropped{federation=\"fed\"} 1\n"));
    server_->Stop();
    ASSERT_TRUE(server_->Start().ok());
  }
  std::lock_guard lock(mutex_);
  EXPECT_THAT(details_, ::testing::ElementsAre("version 1; 1 of 3 clients did not count"));
}

TEST_F(OutcomeTest, AReasonIsCutBetweenCharacters) {
  Start("test_talkative", 2);
  Join({"a", "b"});
  for (const char* client : {"a", "b"}) ASSERT_TRUE(Push(client, 1, 1).ok());
  server_->AwaitVersion(1);
  const std::string reason = server_->Now().outcomes->at(0).reason;
  EXPECT_EQ(reason.size(), 255u);
  EXPECT_EQ(reason.substr(253), "\u00e9");
}

TEST_F(OutcomeTest, AClientThatWasVotedDownTakesPartInTheNextRound) {
  Start("test_fewest", 2);
  Join({"a", "b"});
  ASSERT_TRUE(Push("a", 1, 5).ok());
  ASSERT_TRUE(Push("b", 1, 1).ok());
  server_->AwaitVersion(1);
  const auto receipt = server_->CheckUpload(UploadKey{"fed", 1, "b", Sha256Hex(Update('b' + 1).safetensors), 0});
  ASSERT_TRUE(receipt.ok()) << receipt.status();
  EXPECT_TRUE(receipt->receipt.has_value()) << "its receipt stays";
  ASSERT_TRUE(Push("b", 2, 5).ok());
  ASSERT_TRUE(Push("a", 2, 1).ok());
  server_->AwaitVersion(2);
  EXPECT_FALSE(server_->Now().outcomes->at(0).accepted);
  EXPECT_TRUE(server_->Now().outcomes->at(1).accepted);
}

TEST_F(OutcomeTest, ARoundWaitsForTheClientThatTheRuleNeeds) {
  Start("test_root", 2);
  Join({"a", "b"});
  ASSERT_TRUE(Push("a", 1, 1).ok());
  ASSERT_TRUE(Push("b", 1, 1).ok());
  server_->Stop();
  ASSERT_TRUE(server_->Start().ok());
  EXPECT_EQ(server_->Now().state.phase, round::Phase::kOpen);
  EXPECT_THAT(server_->Now().waiting_for, HasSubstr("waiting for root, which the rule needs"));
  Join({"root"});
  ASSERT_TRUE(Push("root", 1, 1).ok());
  server_->AwaitVersion(1);
  const OutcomeRow& root = server_->Now().outcomes->at(2);
  EXPECT_EQ(root.client, "root");
  EXPECT_EQ(root.weight, 0);
  EXPECT_TRUE(root.accepted) << "it is held against the others, not voted down";
  EXPECT_THAT(server_->metrics.Render(), HasSubstr("cairn_clients_dropped{federation=\"fed\"} 0\n"));
}

TEST_F(OutcomeTest, ARuleThatFailsIsNamedAndStopsNobodyElse) {
  Start("test_refuses", 2);
  Join({"a", "b"});
  ASSERT_TRUE(Push("a", 1, 1).ok());
  ASSERT_TRUE(Push("b", 1, 1).ok());
  while (server_->Now().state.failure.empty()) std::this_thread::yield();
  EXPECT_EQ(server_->Now().state.phase, round::Phase::kAggregating);
  EXPECT_THAT(server_->Now().waiting_for, HasSubstr("rule test_refuses takes none of 2 clients"));
  ASSERT_TRUE(server_->Join("a", "other").ok());
  ASSERT_TRUE(server_->Push("a", 1, Update(1), "other").ok());
  server_->AwaitVersion(1, "other");
  // The rule may be another one after a restart.
  server_->Stop();
  server_->federations()[0].method.rule = "examples";
  ASSERT_TRUE(server_->Start().ok());
  server_->AwaitVersion(1);
}

TEST_F(OutcomeTest, ARuleThatThereIsNotKeepsItsFederationFromLoading) {
  Start("test_nothing", 2);
  EXPECT_THAT(server_->Now().waiting_for, HasSubstr("test_nothing"));
  EXPECT_EQ(server_->Join("a").status().code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(server_->Join("a", "other").ok());
}

}  // namespace
}  // namespace cairn
