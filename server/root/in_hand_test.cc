// A round has one publication, whatever the database does while it runs.
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>

#include "adapter/directory.h"
#include "aggregators/rule.h"
#include "server/root/testing.h"

namespace cairn {
namespace {

using testing::FederationFor;
using testing::TestCoordinator;
using testing::Update;

std::atomic<bool> held{false}, inside{false}, fails{false};
std::atomic<int> runs{0};

// The average, which waits as long as it is held, and then may fail.
class Waits final : public Rule {
 public:
  absl::string_view name() const override { return "test_waits"; }
  Needs needs() const override { return {.gram = false}; }
  absl::Status CheckClients(std::size_t, std::size_t) const override { return absl::OkStatus(); }
  absl::StatusOr<RuleOutput> Weigh(const RuleInput& input) const override {
    ++runs;
    inside = true;
    while (held) std::this_thread::yield();
    inside = false;
    if (fails) return absl::UnavailableError("it is told to fail");
    return RuleOutput{.weights = std::vector<double>(input.columns, 1.0 / static_cast<double>(input.columns))};
  }
};
CAIRN_REGISTER_RULE("test_waits", Waits);

class InHandTest : public ::testing::Test {
 protected:
  void SetUp() override {
    runs = 0;
    FederationOptions options = FederationFor("fed", "stack", 1, 1);
    options.method.rule = "test_waits";
    server_ = std::make_unique<TestCoordinator>(
        std::vector<FederationOptions>{options, FederationFor("other", "stack", 2, 2)});
    const absl::Status started = server_->Start();
    ASSERT_TRUE(started.ok()) << started;
    ASSERT_TRUE(server_->Join("a").ok());
    for (const char* client : {"o", "p"}) ASSERT_TRUE(server_->Join(client, "other").ok());
  }
  void TearDown() override { held = fails = false; }

  // The publication of round 1 waits in its rule.
  void Hold() {
    held = true;
    ASSERT_TRUE(server_->Push("a", 1, Update(1)).ok());
    while (!inside) std::this_thread::yield();
  }
  void Release() {
    held = false;
    const std::string done = "cairn_aggregation_seconds_count{combine=\"stack\",federation=\"fed\"} 1";
    while (server_->metrics.Render().find(done) == std::string::npos) std::this_thread::yield();
  }
  std::unique_ptr<Database> Intruder() {
    auto database = Database::Open(server_->directory / "cairn.sqlite", Database::Sync::kOff);
    EXPECT_TRUE(database.ok()) << database.status();
    return *std::move(database);
  }
  // An update whose receipt cannot be written: it takes its whole transaction with it.
  SealedUpdate Collision() {
    const testing::UpdateBytes taken = Update(3);
    auto database = Intruder();
    const ReceiptRow row{"other", 1, "o", Sha256Hex(taken.safetensors), 1, 1, taken.config_json, 0};
    EXPECT_TRUE(database->Begin().ok() && database->Insert(row).ok() && database->Commit().ok());
    server_->Seal("o", 1, taken, 1, "other");
    return server_->Seal("o", 1, Update(2), 1, "other");
  }
  // The clock goes on until the result is told again: when it was refused, nobody hears.
  void AwaitRetry() {
    while (server_->Now().state.version < 1) server_->clock.Advance(absl::Seconds(1));
  }
  // Jobs run in order: any that was queued before has run.
  void PublishOther() {
    ASSERT_TRUE(server_->Push("p", 1, Update(4), "other").ok());
    server_->AwaitVersion(1, "other");
  }

  std::unique_ptr<TestCoordinator> server_;
};

TEST_F(InHandTest, AReloadDoesNotStartItAgain) {
  Hold();
  EXPECT_EQ(server_->Contribute(Collision()).status().code(), absl::StatusCode::kUnavailable);
  Release();
  server_->AwaitVersion(1);
  PublishOther();
  EXPECT_EQ(runs, 1);
  ASSERT_TRUE(server_->Push("a", 2, Update(5)).ok());
  server_->AwaitVersion(2);
  EXPECT_EQ(runs, 2);
}

TEST_F(InHandTest, AResultWaitsForADatabaseThatIsTaken) {
  Hold();
  auto intruder = Intruder();
  ASSERT_TRUE(intruder->Begin().ok());
  Release();
  EXPECT_EQ(server_->Join("b").status().code(), absl::StatusCode::kUnavailable);
  intruder->Rollback();
  AwaitRetry();
  EXPECT_EQ(runs, 1);
}

TEST_F(InHandTest, AResultOutlivesItsTransaction) {
  Hold();
  const SealedUpdate collision = Collision();
  std::promise<void> reached, go_on;
  (*server_)->Snapshots("", [&](const auto&) {
    reached.set_value();
    go_on.get_future().wait();
  });
  reached.get_future().wait();
  std::promise<absl::Status> contributed;
  (*server_)->Contribute(collision, [&](const auto& result) { contributed.set_value(result.status()); });
  Release();
  go_on.set_value();
  EXPECT_EQ(contributed.get_future().get().code(), absl::StatusCode::kUnavailable);
  AwaitRetry();
  PublishOther();
  EXPECT_EQ(runs, 1);
}

// Two clients: "a" of the root, and "b" of node n1, which goes away while the publication of their round waits.
class UpdatesGivenUpTest : public InHandTest {
 protected:
  void Start(round::NodeLoss on_loss, std::uint32_t min) {
    TearDown();
    runs = 0;
    FederationOptions options = FederationFor("fed", "stack", min, 2);
    options.method.rule = "test_waits";
    options.policy.on_node_loss = on_loss;
    options.policy.node_timeout = absl::Seconds(60);
    server_ = std::make_unique<TestCoordinator>(
        std::vector<FederationOptions>{options, FederationFor("other", "stack", 2, 2)});
    ASSERT_TRUE(server_->Start().ok());
    for (const char* client : {"a", "b"}) ASSERT_TRUE(server_->Join(client).ok());
    for (const char* client : {"o", "p"}) ASSERT_TRUE(server_->Join(client, "other").ok());
    (*server_)->NodeArrived("n1", "directory", {}, [](const auto&) {});
  }
  // The publication waits, which has read both; what b's update is called, of which the root has a copy.
  std::string HoldBoth() {
    EXPECT_TRUE(server_->Push("a", 1, Update(1)).ok());
    held = true;
    SealedUpdate update = server_->Seal("b", 1, Update(2, 3));
    const std::string bytes = Update(2, 3).safetensors;
    update.node = "n1";
    update.directory = "directory";
    update.header = bytes.substr(0, *SafetensorsHeaderBytes(bytes, bytes.size()));
    EXPECT_TRUE(server_->Contribute(update).ok());
    while (!inside) std::this_thread::yield();
    return UpdateName("b", update.key.sha256);
  }
  std::string LoseTheNode() {
    std::string name = HoldBoth();
    (*server_)->NodeLeft("n1");
    return name;
  }
  void Reload() { EXPECT_EQ(server_->Contribute(Collision()).status().code(), absl::StatusCode::kUnavailable); }
  // Ends with b's update given up: after a reload the round no longer waits for what is in hand.
  void LoseTheNodeInHand() {
    server_->store().Remove("fed", LoseTheNode());
    Reload();
    server_->clock.Advance(kNodesReturnMax + absl::Seconds(60));
    while (server_->Now().state.contributed() == 2) std::this_thread::yield();
  }
  std::int64_t Rank() {
    const auto whole = server_->FindVersion(1, false);
    return OpenAdapter(whole->path, whole->adapter.config)->adapter.modules[0].rank;
  }
};

TEST_F(UpdatesGivenUpTest, AResultThatHasThemIsNotUsed) {
  Start(round::NodeLoss::kGoOn, 1);
  LoseTheNodeInHand();
  held = false;
  server_->AwaitVersion(1);
  EXPECT_EQ(runs, 2);
  EXPECT_EQ(Rank(), 2);
  const auto outcomes = server_->Now().outcomes;
  ASSERT_EQ(outcomes->size(), 2u);
  EXPECT_TRUE(outcomes->at(0).accepted);
  EXPECT_EQ(outcomes->at(1).reason, "not counted: node n1 was lost");
}

// Its disk was not mounted, say, and is now: what is not there any more it says on each connection.
TEST_F(UpdatesGivenUpTest, WhatANodeSaidBeforeItCameBackDoesNotCount) {
  Start(round::NodeLoss::kWait, 2);
  const std::string name = HoldBoth();
  std::promise<absl::Status> heard;
  (*server_)->UpdatesLost("n1", "fed", 1, {name}, [&](const absl::Status& status) { heard.set_value(status); });
  ASSERT_TRUE(heard.get_future().get().ok());
  (*server_)->NodeLeft("n1");
  (*server_)->NodeArrived("n1", "directory", {}, [](const auto&) {});
  server_->store().Remove("fed", name);  // That it is here, too, is of this test.
  fails = true;
  held = false;
  while (server_->metrics.Render().find("outcome=\"failed\"} 1") == std::string::npos) std::this_thread::yield();
  EXPECT_EQ(server_->Now().state.contributed(), 2u);
}

TEST_F(UpdatesGivenUpTest, AResultDoesNotStandForWhatWasSentInstead) {
  Start(round::NodeLoss::kAskAgain, 2);
  LoseTheNodeInHand();
  ASSERT_TRUE(server_->Push("b", 1, Update(3, 5)).ok());
  held = false;
  server_->AwaitVersion(1);
  EXPECT_EQ(runs, 2);
  EXPECT_EQ(Rank(), 7);
}

TEST_F(UpdatesGivenUpTest, WhatTheRootHasAfterAFailedAttemptIsNot) {
  Start(round::NodeLoss::kAskAgain, 2);
  fails = true;
  LoseTheNode();
  held = false;
  while (server_->Now().state.failure.empty()) std::this_thread::yield();
  const round::State state = server_->Now().state;
  ASSERT_TRUE(state.away.empty());
  ASSERT_FALSE(state.held);
  EXPECT_EQ(state.clients.at("b").node, "");
  fails = false;
  server_->clock.Advance(absl::Seconds(120));
  server_->AwaitVersion(1);
  EXPECT_EQ(Rank(), 5);
  EXPECT_TRUE(server_->Now().outcomes->at(1).accepted);
}

TEST_F(UpdatesGivenUpTest, WhatTheRootHasWhenItIsLoadedIsNot) {
  Start(round::NodeLoss::kAskAgain, 2);
  LoseTheNode();
  Reload();
  ASSERT_EQ(server_->Now().state.clients.at("b").node, "");
  server_->clock.Advance(absl::Seconds(120));
  EXPECT_EQ(server_->Now().state.contributed(), 2u);
  held = false;
  server_->AwaitVersion(1);
  EXPECT_EQ(Rank(), 5);
}

}  // namespace
}  // namespace cairn
