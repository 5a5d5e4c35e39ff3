// What a restart, or a database that refuses, does to a federation.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <future>
#include <mutex>
#include <thread>

#include "absl/strings/match.h"
#include "adapter/directory.h"
#include "server/root/log_testing.h"
#include "server/root/published_files.h"
#include "server/root/sqlite.h"
#include "server/root/testing.h"

namespace cairn {
namespace {

using testing::FederationFor;
using ::testing::HasSubstr;
using testing::TestCoordinator;
using testing::Update;
namespace fs = std::filesystem;

class RecoveryTest : public ::testing::Test {
 protected:
  void Start(std::vector<FederationOptions> federations, bool durable = true) {
    server_ = std::make_unique<TestCoordinator>(std::move(federations), durable);
    const absl::Status started = server_->Start();
    ASSERT_TRUE(started.ok()) << started;
  }
  void StartWithTwoClients(std::uint32_t target, bool durable = true) {
    Start({FederationFor("fed", "stack", 2, target)}, durable);
    ASSERT_TRUE(server_->Join("a").ok());
    ASSERT_TRUE(server_->Join("b").ok());
  }
  void Restart() {
    server_->Stop();
    const absl::Status started = server_->Start();
    ASSERT_TRUE(started.ok()) << started;
  }
  // The database as another process would write to it.
  std::unique_ptr<Database> Intruder() {
    auto database = Database::Open(server_->directory / "cairn.sqlite", Database::Sync::kOff);
    EXPECT_TRUE(database.ok()) << database.status();
    return *std::move(database);
  }

  // As if the server had ended then.
  void SavePhase(const std::string& phase) {
    auto database = Intruder();
    FederationRow row = **database->LoadFederation("fed");
    row.phase = phase;
    ASSERT_TRUE(database->Begin().ok() && database->Save(row).ok() && database->Commit().ok());
  }
  // Writes a receipt behind the coordinator's back, which collides with the client's own.
  void Take(const SealedUpdate& update) {
    auto database = Intruder();
    const ReceiptRow row{"fed", 1, update.key.client, update.key.sha256, 1, 1, update.adapter_config, 0};
    EXPECT_TRUE(database->Begin().ok() && database->Insert(row).ok() && database->Commit().ok());
  }
  std::pair<absl::Status, absl::Status> JoinAndContributeAtOnce(const std::string& client, const SealedUpdate& update) {
    std::promise<absl::Status> joined, contributed;
    server_->AtOnce([&] {
      (*server_)->Join("fed", client, std::nullopt, [&](const auto& result) { joined.set_value(result.status()); });
      (*server_)->Contribute(update, [&](const auto& result) { contributed.set_value(result.status()); });
    });
    return {joined.get_future().get(), contributed.get_future().get()};
  }

  std::unique_ptr<TestCoordinator> server_;
};

TEST_F(RecoveryTest, AWaitingFederationStillKnowsItsClients) {
  Start({FederationFor("fed", "stack", 2, 2)});
  ASSERT_TRUE(server_->Join("a").ok());
  Restart();
  EXPECT_EQ(server_->Now().state.phase, round::Phase::kWaiting);
  EXPECT_EQ(server_->Now().state.active(), 1u);
  ASSERT_TRUE(server_->Join("b").ok());
  EXPECT_EQ(server_->Now().state.phase, round::Phase::kOpen);
}

TEST_F(RecoveryTest, AnOpenRoundGoesOnWithEveryAcknowledgedUpdate) {
  StartWithTwoClients(2);
  auto before = server_->Push("a", 1, Update(1, 3));
  ASSERT_TRUE(before.ok()) << before.status();
  server_->clock.Advance(absl::Seconds(10));
  Restart();
  const Snapshot now = server_->Now();
  EXPECT_EQ(now.state.phase, round::Phase::kOpen);
  EXPECT_EQ(now.state.round, 1u);
  EXPECT_EQ(now.state.contributed(), 1u);
  auto again = server_->Push("a", 1, Update(1, 3));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->received_ms, before->received_ms);
  EXPECT_EQ(server_->Push("a", 1, Update(9)).status().code(), absl::StatusCode::kAlreadyExists);
  ASSERT_TRUE(server_->Push("b", 1, Update(2, 2)).ok());
  server_->AwaitVersion(1);
  EXPECT_EQ(OpenAdapterDirectory(server_->directory / "published/fed/latest")->adapter.modules[0].rank, 5);
}

TEST_F(RecoveryTest, WhatCannotBeCombinedIsStillRefusedAfterwards) {
  Start({FederationFor("fed", "mean", 2, 2)});
  ASSERT_TRUE(server_->Join("a").ok());
  ASSERT_TRUE(server_->Join("b").ok());
  ASSERT_TRUE(server_->Push("a", 1, Update(1, 2)).ok());
  Restart();
  EXPECT_EQ(server_->Push("b", 1, Update(2, 4)).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(RecoveryTest, ADeadlineThatPassedMeanwhileCloses) {
  auto options = FederationFor("fed", "stack", 1, 2);
  options.policy.deadline = absl::Minutes(30);
  Start({options});
  ASSERT_TRUE(server_->Join("a").ok());
  ASSERT_TRUE(server_->Push("a", 1, Update(1)).ok());
  server_->Stop();
  server_->clock.Advance(absl::Hours(1));
  ASSERT_TRUE(server_->Start().ok());
  server_->AwaitVersion(1);
}

// A crash while a round is aggregated, before anything of it is committed.
TEST_F(RecoveryTest, AnInterruptedAggregationGivesTheSameBytes) {
  StartWithTwoClients(3);
  ASSERT_TRUE(server_->Push("a", 1, Update(1, 3)).ok());
  ASSERT_TRUE(server_->Push("b", 1, Update(2, 2)).ok());
  server_->Stop();
  SavePhase("aggregating");
  ASSERT_TRUE(server_->Start().ok());
  server_->AwaitVersion(1);
  const std::string recovered = server_->FindVersion(1, false)->adapter.sha256;

  StartWithTwoClients(2);
  ASSERT_TRUE(server_->Push("b", 1, Update(2, 2)).ok());
  ASSERT_TRUE(server_->Push("a", 1, Update(1, 3)).ok());
  server_->AwaitVersion(1);
  EXPECT_EQ(server_->FindVersion(1, false)->adapter.sha256, recovered);
}

// A crash between the commit of a version and what follows it.
TEST_F(RecoveryTest, LatestIsMendedAndUsedUpdatesAreRemoved) {
  StartWithTwoClients(2);
  for (std::uint64_t round : {1, 2}) {
    ASSERT_TRUE(server_->Push("a", round, Update(round)).ok());
    ASSERT_TRUE(server_->Push("b", round, Update(10 + round)).ok());
    server_->AwaitVersion(round);
  }
  server_->Stop();
  ASSERT_TRUE(PointLatestAt(server_->directory.path(), "fed", 1).ok());
  const fs::path left_over = server_->directory / "objects/fed/0000.safetensors";
  fs::create_directories(left_over.parent_path());
  ASSERT_TRUE(WriteFileAtomically(left_over, "x").ok());
  ASSERT_TRUE(server_->Start().ok());
  EXPECT_EQ(server_->Now().state.version, 2u);
  EXPECT_EQ(fs::read_symlink(server_->directory / "published/fed/latest"), "v00002");
  EXPECT_FALSE(fs::exists(left_over));
}

// A crash before a version was on record, whose round then had other updates.
TEST_F(RecoveryTest, AdaptersOfNoVersionAreRemoved) {
  StartWithTwoClients(2);
  ASSERT_TRUE(server_->Push("a", 1, Update(1)).ok());
  ASSERT_TRUE(server_->Push("b", 1, Update(2)).ok());
  server_->AwaitVersion(1);
  const fs::path left_over = server_->directory / "adapters" / "fed" / (std::string(64, 'a') + ".safetensors");
  ASSERT_TRUE(WriteFileAtomically(left_over, "x").ok());
  Restart();
  EXPECT_FALSE(fs::exists(left_over));
  for (const bool delta : {false, true}) EXPECT_TRUE(fs::exists(server_->FindVersion(1, delta)->path));
}

TEST_F(RecoveryTest, AFinishedFederationGoesOnWhenMoreRoundsAreConfigured) {
  auto options = FederationFor("fed", "stack", 1, 1);
  options.policy.rounds = 1;
  Start({options});
  ASSERT_TRUE(server_->Join("a").ok());
  ASSERT_TRUE(server_->Push("a", 1, Update(1)).ok());
  server_->AwaitVersion(1);
  EXPECT_EQ(server_->Now().state.phase, round::Phase::kFinished);
  Restart();
  EXPECT_EQ(server_->Now().state.phase, round::Phase::kFinished);
  server_->federations()[0].policy.rounds = 2;
  Restart();
  EXPECT_EQ(server_->Now().state.phase, round::Phase::kOpen);
  EXPECT_EQ(server_->Now().state.round, 2u);
}

TEST_F(RecoveryTest, MemoryModeAsksForTheRoundAgain) {
  StartWithTwoClients(2, /*durable=*/false);
  ASSERT_TRUE(server_->Push("a", 1, Update(1)).ok());
  Restart();
  EXPECT_EQ(server_->Now().state.phase, round::Phase::kOpen);
  EXPECT_EQ(server_->Now().state.round, 1u);
  EXPECT_EQ(server_->Now().state.contributed(), 0u);
  ASSERT_TRUE(server_->Push("a", 1, Update(1)).ok());
  ASSERT_TRUE(server_->Push("b", 1, Update(2)).ok());
  server_->AwaitVersion(1);
}

// What is at a node did not die with the root.
TEST_F(RecoveryTest, MemoryModeForgetsOnlyWhatWasHere) {
  for (const std::uint32_t min : {1, 2}) {
    for (const char* phase : {"open", "aggregating"}) {
      Start({FederationFor("fed", "stack", min, 3)}, /*durable=*/false);
      for (const char* client : {"a", "b"}) ASSERT_TRUE(server_->Join(client).ok());
      server_->NodeCame("n1");
      ASSERT_TRUE(server_->Push("a", 1, Update(1)).ok());
      ASSERT_TRUE(server_->Contribute(server_->SealAt("n1", "b", 1, Update(2))).ok());
      server_->Stop();
      SavePhase(phase);
      ASSERT_TRUE(server_->Start().ok());
      const round::State state = server_->Now().state;
      EXPECT_EQ(round::NameOf(state.phase), min == 1 ? phase : "open");
      EXPECT_EQ(state.contributed(), 1u);
      EXPECT_EQ(state.clients.at("b").node, "n1");
      EXPECT_THAT(server_->metrics.Render(), HasSubstr("reason=\"dropped\"} 1"));
      server_->Stop();
      ASSERT_TRUE(server_->Start().ok());
      EXPECT_EQ(server_->Now().state.phase, state.phase) << "was not on record";
    }
  }
}

TEST_F(RecoveryTest, AConfigurationThatContradictsTheDatabaseIsRefused) {
  StartWithTwoClients(2);
  ASSERT_TRUE(server_->Push("a", 1, Update(1)).ok());
  server_->Stop();
  const FederationOptions good = server_->federations()[0];
  auto refusal = [&](FederationOptions options) {
    server_->federations()[0] = std::move(options);
    const absl::Status status = server_->Start();
    server_->Stop();
    return status;
  };
  FederationOptions combine = good, modules = good;
  combine.method.combine = "mean";
  modules.spec = AdapterSpec{"", {testing::kModules[0]}, {}};
  EXPECT_EQ(refusal(combine).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(refusal(combine).message(), HasSubstr("begun with combine stack"));
  EXPECT_EQ(refusal(modules).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(refusal(modules).message(), HasSubstr("begun with other modules"));
  EXPECT_TRUE(refusal(good).ok());
}

TEST_F(RecoveryTest, WhileTheDatabaseIsTakenNothingHappens) {
  for (bool durable : {true, false}) {
    StartWithTwoClients(2, durable);
    ASSERT_TRUE(server_->Push("a", 1, Update(1)).ok());
    const SealedUpdate update = server_->Seal("b", 1, Update(2));
    auto intruder = Intruder();
    ASSERT_TRUE(intruder->Begin().ok());
    EXPECT_EQ(server_->Contribute(update).status().code(), absl::StatusCode::kUnavailable);
    intruder->Rollback();
    EXPECT_EQ(server_->Now().state.contributed(), 1u);
    EXPECT_TRUE(server_->Contribute(update).ok());
    server_->AwaitVersion(1);
  }
}

TEST_F(RecoveryTest, ANodeThatLeftMeanwhileIsAway) {
  StartWithTwoClients(2);
  server_->NodeCame("n1");
  ASSERT_TRUE(server_->Contribute(server_->SealAt("n1", "a", 1, Update(1))).ok());
  auto intruder = Intruder();
  ASSERT_TRUE(intruder->Begin().ok());
  (*server_)->NodeLeft("n1");
  EXPECT_EQ(server_->Join("c").status().code(), absl::StatusCode::kUnavailable);
  intruder->Rollback();
  ASSERT_TRUE(server_->Join("c").ok());
  EXPECT_EQ(server_->Now().state.away.count("n1"), 1u);
}

// A database that refuses at once, for good, while a deadline has passed.
TEST_F(RecoveryTest, ADatabaseThatRefusesIsAskedOnceASecond) {
  auto options = FederationFor("fed", "stack", 1, 2);
  options.policy.deadline = absl::Minutes(30);
  Start({options});
  ASSERT_TRUE(server_->Join("a").ok());
  ASSERT_TRUE(server_->Push("a", 1, Update(1)).ok());
  {
    const auto handle = sqlite::Open(server_->directory / "cairn.sqlite");
    ASSERT_TRUE(handle.ok() && sqlite::Execute(*handle, "CREATE TABLE new_page_1 (x)").ok() &&
                sqlite::Execute(*handle, "PRAGMA wal_checkpoint(TRUNCATE)").ok());
    sqlite::Close(*handle);
  }
  std::fstream file(server_->directory / "cairn.sqlite", std::ios::in | std::ios::out | std::ios::binary);
  file.write("xxxxxxxxxxxxxxxx", 16);
  file.close();
  std::mutex mutex;
  std::vector<std::chrono::steady_clock::time_point> refused;
  const testing::LogListener listener([&](absl::string_view message) {
    std::lock_guard lock(mutex);
    if (absl::StrContains(message, "are refused")) refused.push_back(std::chrono::steady_clock::now());
  });
  server_->clock.Advance(absl::Hours(1));
  EXPECT_FALSE(server_->Join("b").ok());
  const auto count = [&] {
    std::lock_guard lock(mutex);
    return refused.size();
  };
  while (count() < 3) std::this_thread::yield();
  server_->Stop();
  EXPECT_GE(refused[2] - refused[1], std::chrono::milliseconds(900));
}

// A write that fails takes the whole transaction with it: memory goes back to what the disk says.
TEST_F(RecoveryTest, AFailedTransactionIsForgottenAsAWhole) {
  for (bool durable : {true, false}) {
    StartWithTwoClients(4, durable);
    ASSERT_TRUE(server_->Push("a", 1, Update(1)).ok());
    const SealedUpdate update = server_->Seal("b", 1, Update(2));
    Take(server_->Seal("b", 1, Update(3)));
    auto [joined, contributed] = JoinAndContributeAtOnce("c", update);
    EXPECT_EQ(joined.code(), absl::StatusCode::kUnavailable);
    EXPECT_EQ(contributed.code(), absl::StatusCode::kUnavailable);
    const round::State state = server_->Now().state;
    EXPECT_EQ(state.clients.count("c"), 0u);
    EXPECT_EQ(state.contributed(), 2u) << "what was acknowledged before stays";
    EXPECT_EQ(server_->Push("b", 1, Update(2)).status().code(), absl::StatusCode::kAlreadyExists);
  }
}

TEST_F(RecoveryTest, AFederationThatCannotBeReadIsUnavailableUntilItCan) {
  StartWithTwoClients(4);
  const SealedUpdate update = server_->Seal("b", 1, Update(2)), taken = server_->Seal("b", 1, Update(3));
  const fs::path object =
      server_->directory / ("objects/fed/" + UpdateName(taken.key.client, taken.key.sha256) + ".safetensors");
  Take(taken);
  fs::remove(object);
  EXPECT_EQ(server_->Contribute(update).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(server_->Join("c").status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(server_->Subscribe([](const Notice&) {}).status().code(), absl::StatusCode::kUnavailable);
  ASSERT_TRUE(WriteFileAtomically(object, Update(3).safetensors).ok());
  server_->clock.Advance(absl::Seconds(5));
  EXPECT_TRUE(server_->Join("c").ok());
  EXPECT_EQ(server_->Now().state.contributed(), 1u);
}

// The update was sealed, and then let go of because a transaction failed before its contribution came.
TEST_F(RecoveryTest, AReceiptIsNotGivenForBytesThatAreGone) {
  StartWithTwoClients(4);
  const SealedUpdate lost = server_->Seal("a", 1, Update(1)), update = server_->Seal("b", 1, Update(2));
  Take(server_->Seal("b", 1, Update(3)));
  EXPECT_EQ(server_->Contribute(update).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(server_->Contribute(lost).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(server_->Push("a", 1, Update(1)).ok());
}

TEST_F(RecoveryTest, ARoundWhoseUpdatesCannotBeOpenedIsTriedAgain) {
  StartWithTwoClients(2);
  const SealedUpdate first = server_->Seal("a", 1, Update(1));
  ASSERT_TRUE(server_->Contribute(first).ok());
  const fs::path object =
      server_->directory / ("objects/fed/" + UpdateName(first.key.client, first.key.sha256) + ".safetensors");
  fs::rename(object, object.string() + ".away");
  ASSERT_TRUE(server_->Push("b", 1, Update(2)).ok()) << "whoever closes the round is not to blame";
  EXPECT_EQ(server_->Now().state.phase, round::Phase::kAggregating);
  EXPECT_THAT(server_->Now().waiting_for, HasSubstr("aggregation failed"));
  fs::rename(object.string() + ".away", object);
  server_->clock.Advance(round::kAggregationRetry);
  server_->AwaitVersion(1);
}

}  // namespace
}  // namespace cairn
