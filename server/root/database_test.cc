#include "server/root/database.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <limits>

#include "base/files.h"
#include "base/test_directory.h"

namespace cairn {
namespace {

using ::testing::HasSubstr;

constexpr std::int64_t kMin = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();

class DatabaseTest : public ::testing::Test {
 protected:
  void SetUp() override { Reopen(); }
  void Reopen() {
    database_.reset();
    auto database = Database::Open(path(), Database::Sync::kOff);
    ASSERT_TRUE(database.ok()) << database.status();
    database_ = *std::move(database);
  }
  std::filesystem::path path() const { return directory_ / "cairn.sqlite"; }

  // Runs writes in a transaction that must succeed, then opens the file again.
  template <typename Writes>
  void Commit(Writes writes) {
    ASSERT_TRUE(database_->Begin().ok());
    writes();
    const absl::Status committed = database_->Commit();
    ASSERT_TRUE(committed.ok()) << committed;
    Reopen();
  }

  TestDirectory directory_;
  std::unique_ptr<Database> database_;
};

ReceiptRow Receipt(const std::string& client, std::uint64_t round = 1) {
  return {"fed", round, client, "sha-" + client, 1234, 56, R"({"r": 8, "text": "ü"})", 789};
}

TEST_F(DatabaseTest, KeepsFederationsAndTheExtremesOfTheirTimes) {
  Commit([&] {
    ASSERT_TRUE(database_->Save(FederationRow{"fed", "stack", "waiting", 1, 0, 0, 0}).ok());
    ASSERT_TRUE(database_->Save(FederationRow{"fed", "stack", "open", 7, 6, kMin, kMax}).ok());
    ASSERT_TRUE(database_->Save(FederationRow{"other", "mean", "finished", 1, 1, -1, 1}).ok());
  });
  auto row = database_->LoadFederation("fed");
  ASSERT_TRUE(row.ok() && row->has_value()) << row.status();
  EXPECT_EQ((*row)->combine, "stack");
  EXPECT_EQ((*row)->phase, "open");
  EXPECT_EQ((*row)->round, 7u);
  EXPECT_EQ((*row)->version, 6u);
  EXPECT_EQ((*row)->opened_ms, kMin);
  EXPECT_EQ((*row)->deadline_ms, kMax);
  EXPECT_FALSE(database_->LoadFederation("nobody")->has_value());
}

TEST_F(DatabaseTest, KeepsSpecsInOrderOfName) {
  const Layer conv{Layer::Kind::kConv2d, 3, 5, 2};
  const AdapterSpec saved{
      "org/base", {{"b", 3, 4, conv}, {"a.q", 1, kMax}}, {{"scalar", {}}, {"bias", {7}}, {"head", {2, kMax}}}};
  Commit([&] { ASSERT_TRUE(database_->SaveSpec("fed", saved).ok()); });
  auto spec = database_->LoadSpec("fed");
  ASSERT_TRUE(spec.ok() && spec->has_value()) << spec.status();
  EXPECT_EQ((*spec)->base_model, "org/base");
  EXPECT_EQ((*spec)->modules, (std::vector<ModuleSpec>{{"a.q", 1, kMax}, {"b", 3, 4, conv}}));
  EXPECT_EQ((*spec)->tensors, (std::vector<TensorSpec>{{"bias", {7}}, {"head", {2, kMax}}, {"scalar", {}}}));
  EXPECT_FALSE(database_->LoadSpec("other")->has_value());
}

TEST_F(DatabaseTest, KeepsTheLatestOfEachClient) {
  Commit([&] {
    ASSERT_TRUE(database_->SaveClient("fed", {"b", true}).ok());
    ASSERT_TRUE(database_->SaveClient("fed", {"a", true}).ok());
    ASSERT_TRUE(database_->SaveClient("fed", {"b", false}).ok());
    ASSERT_TRUE(database_->SaveClient("other", {"c", true}).ok());
  });
  auto clients = database_->LoadClients("fed");
  ASSERT_TRUE(clients.ok()) << clients.status();
  ASSERT_EQ(clients->size(), 2u);
  EXPECT_EQ((*clients)[0].client, "a");
  EXPECT_TRUE((*clients)[0].active);
  EXPECT_EQ((*clients)[1].client, "b");
  EXPECT_FALSE((*clients)[1].active);
}

TEST_F(DatabaseTest, KeepsReceiptsByRoundAndClient) {
  Commit([&] {
    for (const ReceiptRow& row : {Receipt("b"), Receipt("a"), Receipt("a", 2)}) {
      ASSERT_TRUE(database_->Insert(row).ok());
    }
  });
  auto receipt = database_->LoadReceipt("fed", 1, "a");
  ASSERT_TRUE(receipt.ok() && receipt->has_value()) << receipt.status();
  EXPECT_EQ((*receipt)->federation, "fed");
  EXPECT_EQ((*receipt)->round, 1u);
  EXPECT_EQ((*receipt)->client, "a");
  EXPECT_EQ((*receipt)->sha256, "sha-a");
  EXPECT_EQ((*receipt)->bytes, 1234u);
  EXPECT_EQ((*receipt)->examples, 56u);
  EXPECT_EQ((*receipt)->adapter_config, Receipt("a").adapter_config);
  EXPECT_EQ((*receipt)->received_ms, 789);
  EXPECT_FALSE(database_->LoadReceipt("fed", 3, "a")->has_value());
  const auto round = database_->LoadReceipts("fed", 1);
  ASSERT_EQ(round->size(), 2u);
  EXPECT_EQ((*round)[0].client, "a");

  Commit([&] { ASSERT_TRUE(database_->DeleteReceipt("fed", 1, "a").ok()); });
  EXPECT_EQ(database_->LoadReceipts("fed", 1)->size(), 1u);
  EXPECT_EQ(database_->LoadReceipts("fed", 2)->size(), 1u);
}

TEST_F(DatabaseTest, KeepsVersionsWithAndWithoutADelta) {
  const VersionRow merged{"fed", 1, {"w", 10, "whole"}, AdapterFile{"d", 5, "change"}, 111, 0.25};
  const VersionRow warm{"fed", 2, {"x", 20, "other"}, std::nullopt, 222, std::nullopt};
  Commit([&] {
    ASSERT_TRUE(database_->Insert(merged).ok());
    ASSERT_TRUE(database_->Insert(warm).ok());
  });
  auto one = database_->LoadVersion("fed", 1), two = database_->LoadVersion("fed", 2);
  ASSERT_TRUE(one.ok() && *one && two.ok() && *two);
  EXPECT_EQ((*one)->whole.sha256, "w");
  EXPECT_EQ((*one)->whole.bytes, 10u);
  EXPECT_EQ((*one)->whole.config, "whole");
  ASSERT_TRUE((*one)->delta.has_value());
  EXPECT_EQ((*one)->delta->sha256, "d");
  EXPECT_EQ((*one)->delta->bytes, 5u);
  EXPECT_EQ((*one)->delta->config, "change");
  EXPECT_EQ((*one)->published_ms, 111);
  EXPECT_FALSE((*two)->delta.has_value());
  EXPECT_EQ((*two)->published_ms, 222);
  EXPECT_EQ((*one)->relative_error, 0.25);
  EXPECT_FALSE((*two)->relative_error.has_value());
  EXPECT_FALSE(database_->LoadVersion("fed", 3)->has_value());
}

TEST_F(DatabaseTest, KeepsWhatBecameOfEveryClientOfARound) {
  const OutcomeRow liar{"b", 0, 12.5, -0.25, false, "krum score 9, above the chosen 1"}, unmeasured{"a", 0.75};
  Commit([&] {
    ASSERT_TRUE(database_->Insert("fed", 1, {liar, unmeasured}).ok());
    ASSERT_TRUE(database_->Insert("fed", 2, {unmeasured}).ok());
    ASSERT_TRUE(database_->Insert("other", 1, {unmeasured}).ok());
  });
  const auto rows = database_->LoadOutcomes("fed", 1);
  ASSERT_TRUE(rows.ok()) << rows.status();
  ASSERT_EQ(rows->size(), 2u);
  EXPECT_EQ((*rows)[0].client, "a");
  EXPECT_EQ((*rows)[0].weight, 0.75);
  EXPECT_EQ((*rows)[0].distance, std::nullopt);
  EXPECT_EQ((*rows)[0].cosine, std::nullopt);
  EXPECT_TRUE((*rows)[0].accepted);
  EXPECT_EQ((*rows)[0].reason, "");
  EXPECT_EQ((*rows)[1].client, "b");
  EXPECT_EQ((*rows)[1].weight, 0);
  EXPECT_EQ((*rows)[1].distance, 12.5);
  EXPECT_EQ((*rows)[1].cosine, -0.25);
  EXPECT_FALSE((*rows)[1].accepted);
  EXPECT_EQ((*rows)[1].reason, liar.reason);
  EXPECT_TRUE(database_->LoadOutcomes("fed", 3)->empty());
}

TEST_F(DatabaseTest, RollbackLeavesNothing) {
  ASSERT_TRUE(database_->Begin().ok());
  ASSERT_TRUE(database_->Insert(Receipt("a")).ok());
  database_->Rollback();
  EXPECT_TRUE(database_->LoadReceipts("fed", 1)->empty());
  Commit([&] { ASSERT_TRUE(database_->Insert(Receipt("a")).ok()); });
  EXPECT_EQ(database_->LoadReceipts("fed", 1)->size(), 1u);
}

TEST_F(DatabaseTest, WhatWasNotCommittedIsGoneAfterTheProcess) {
  ASSERT_TRUE(database_->Begin().ok());
  ASSERT_TRUE(database_->Insert(Receipt("a")).ok());
  Reopen();
  EXPECT_TRUE(database_->LoadReceipts("fed", 1)->empty());
}

// The caller may go on after a failed write; the transaction as a whole must not.
TEST_F(DatabaseTest, CommitRefusesATransactionOfWhichAWriteFailed) {
  Commit([&] { ASSERT_TRUE(database_->Insert(Receipt("a")).ok()); });
  ASSERT_TRUE(database_->Begin().ok());
  EXPECT_EQ(database_->Insert(Receipt("a")).code(), absl::StatusCode::kAlreadyExists);
  EXPECT_TRUE(database_->Insert(Receipt("b")).ok());
  EXPECT_EQ(database_->Commit().code(), absl::StatusCode::kAlreadyExists);
  database_->Rollback();
  EXPECT_EQ(database_->LoadReceipts("fed", 1)->size(), 1u);
  // The next transaction is not held responsible.
  Commit([&] { ASSERT_TRUE(database_->Insert(Receipt("b")).ok()); });
}

TEST_F(DatabaseTest, CommitRefusesWhatIsHalfOfSomething) {
  ASSERT_TRUE(database_->Begin().ok());
  ASSERT_TRUE(database_->BeginPart().ok());
  database_->Refuse(absl::NotFoundError("half"));
  database_->TakeBackPart();
  EXPECT_TRUE(database_->Commit().ok());
  ASSERT_TRUE(database_->Begin().ok());
  database_->Refuse(absl::NotFoundError("half"));
  ASSERT_TRUE(database_->BeginPart().ok());
  database_->TakeBackPart();
  EXPECT_EQ(database_->Commit().code(), absl::StatusCode::kNotFound);
  database_->Rollback();
  Commit([] {});
}

TEST_F(DatabaseTest, AnotherWriterMakesItUnavailable) {
  auto other = Database::Open(path(), Database::Sync::kOff);
  ASSERT_TRUE(other.ok());
  ASSERT_TRUE((*other)->Begin().ok());
  EXPECT_EQ(database_->Begin().code(), absl::StatusCode::kUnavailable);
  (*other)->Rollback();
  EXPECT_TRUE(database_->Begin().ok());
}

// Written with the schema that the first release had.
TEST_F(DatabaseTest, BringsVersion1UpToDateAndKeepsWhatIsInIt) {
  database_.reset();
  const std::filesystem::path copy = directory_ / "version1.sqlite";
  std::filesystem::copy_file(CAIRN_SOURCE_DIR "/server/root/testdata/version1.sqlite", copy);
  for (int opened = 0; opened < 2; ++opened) {
    auto database = Database::Open(copy, Database::Sync::kFull);
    ASSERT_TRUE(database.ok()) << database.status();
    auto row = (*database)->LoadFederation("fed");
    ASSERT_TRUE(row.ok() && *row) << row.status();
    EXPECT_EQ((*row)->combine, "mean");
    EXPECT_EQ((*row)->round, 3u);
    EXPECT_EQ((*(*database)->LoadSpec("fed"))->modules, (std::vector<ModuleSpec>{{"layers.0.q", 6, 5}}));
    EXPECT_EQ((*(*database)->LoadVersion("fed", 2))->published_ms, 222);
    EXPECT_EQ((*database)->LoadReceipts("fed", 3)->size(), 1u);
    if (opened > 0) continue;
    ASSERT_TRUE((*database)->Begin().ok());
    EXPECT_TRUE((*database)->Insert(VersionRow{"fed", 3, {"x", 20, "next"}, std::nullopt, 333, 0.5}).ok());
    EXPECT_TRUE((*database)->SaveSpec("other", {"", {}, {{"bias", {7}}}}).ok());
    ASSERT_TRUE((*database)->Commit().ok());
  }
}

// Written with the schema of version 2, which kept no outcomes.
TEST_F(DatabaseTest, BringsVersion2UpToDateAndKeepsWhatIsInIt) {
  database_.reset();
  const std::filesystem::path copy = directory_ / "version2.sqlite";
  std::filesystem::copy_file(CAIRN_SOURCE_DIR "/server/root/testdata/version2.sqlite", copy);
  for (int opened = 0; opened < 2; ++opened) {
    auto database = Database::Open(copy, Database::Sync::kFull);
    ASSERT_TRUE(database.ok()) << database.status();
    EXPECT_EQ((*(*database)->LoadFederation("fed"))->combine, "svd");
    EXPECT_EQ((*(*database)->LoadSpec("fed"))->tensors, (std::vector<TensorSpec>{{"bias", {7}}}));
    EXPECT_EQ((*(*database)->LoadVersion("fed", 2))->relative_error, 0.125);
    EXPECT_EQ((*database)->LoadReceipts("fed", 3)->size(), 1u);
    EXPECT_EQ((*database)->LoadOutcomes("fed", 2)->size(), static_cast<std::size_t>(opened));
    if (opened > 0) continue;
    ASSERT_TRUE((*database)->Begin().ok());
    EXPECT_TRUE((*database)->Insert("fed", 2, {{.client = "a", .weight = 1}}).ok());
    ASSERT_TRUE((*database)->Commit().ok());
  }
}

TEST_F(DatabaseTest, KeepsWhatIsAtNodesBesideTheReceipts) {
  const std::string header("\0\x01{}", 4);
  Commit([&] {
    ASSERT_TRUE(database_->Insert(Receipt("a")).ok());
    ASSERT_TRUE(database_->Insert(Receipt("b")).ok());
    ASSERT_TRUE(database_->Save(NodeUpdateRow{"fed", 1, "a", "n1", "x", ""}).ok());
    ASSERT_TRUE(database_->Save(NodeUpdateRow{"fed", 1, "a", "n2", header, "fro\0zen"}).ok());
    ASSERT_TRUE(database_->Save(NodeUpdateRow{"fed", 1, "lost", "n3", header, ""}).ok());
  });
  const auto receipts = database_->LoadReceipts("fed", 1);
  ASSERT_TRUE(receipts.ok()) << receipts.status();
  EXPECT_EQ(receipts->at(0).node, "n2");
  EXPECT_EQ(receipts->at(1).node, "");
  EXPECT_EQ((*database_->LoadReceipt("fed", 1, "a"))->node, "n2");
  EXPECT_EQ((*database_->LoadNodeUpdate("fed", 1, "a"))->header, header);
  EXPECT_FALSE(database_->LoadNodeUpdate("fed", 1, "b")->has_value());
  const auto lost = database_->LoadLostUpdates("fed", 1);
  ASSERT_EQ(lost->size(), 1u);
  EXPECT_EQ(lost->front().client, "lost");
  EXPECT_EQ(lost->front().node, "n3");
  Commit([&] {
    ASSERT_TRUE(database_->DeleteNodeUpdate("fed", 1, "lost").ok());
    ASSERT_TRUE(database_->DeleteNodeUpdates("fed", 2).ok());
  });
  EXPECT_TRUE(database_->LoadLostUpdates("fed", 1)->empty());
  EXPECT_EQ(database_->LoadReceipts("fed", 1)->at(0).node, "n2");
}

TEST_F(DatabaseTest, KnowsItselfAgainAndNoOtherDoes) {
  const auto made = database_->Identity();
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(made->size(), 32u);
  Reopen();
  EXPECT_EQ(*database_->Identity(), *made);
  const auto other = Database::Open(directory_ / "other.sqlite", Database::Sync::kOff);
  ASSERT_TRUE(other.ok()) << other.status();
  EXPECT_NE(*(*other)->Identity(), *made);
}

TEST_F(DatabaseTest, ANodesNameIsThatOfTheDirectoryWithItsUpdates) {
  EXPECT_EQ(*database_->DirectoryOf("n1"), "");
  Commit([&] {
    // The first to come has what was there before there was such a record.
    ASSERT_TRUE(database_->Insert(Receipt("a")).ok());
    ASSERT_TRUE(database_->Save(NodeUpdateRow{"fed", 1, "a", "n1", "x", ""}).ok());
    ASSERT_TRUE(database_->ClaimNode("n1", "one", {"fed"}).ok());
    ASSERT_TRUE(database_->ClaimNode("n2", "two", {"fed"}).ok());
  });
  EXPECT_EQ(*database_->DirectoryOf("n1"), "one");
  Commit([&] {
    EXPECT_TRUE(database_->ClaimNode("n1", "one", {"fed"}).ok());
    EXPECT_TRUE(database_->ClaimNode("n2", "three", {"fed"}).ok());  // It has none.
    const absl::Status refused = database_->ClaimNode("n1", "three", {"fed"});
    EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(refused.message()), HasSubstr("\"n1\" has 1 acknowledged update in another"));
  });
  EXPECT_EQ(*database_->DirectoryOf("n1"), "one");
  EXPECT_EQ(*database_->DirectoryOf("n2"), "three");
  Commit([&] { ASSERT_TRUE(database_->DeleteReceipt("fed", 1, "a").ok()); });  // Given up.
  Commit([&] { EXPECT_TRUE(database_->ClaimNode("n1", "three", {"fed"}).ok()); });
}

// Nobody would ever let go of them.
TEST_F(DatabaseTest, AFederationThatIsNotConfiguredAnyMoreHoldsNoName) {
  Commit([&] {
    ASSERT_TRUE(database_->Insert(Receipt("a")).ok());
    ASSERT_TRUE(database_->Save(NodeUpdateRow{"fed", 1, "a", "n1", "x", ""}).ok());
    ASSERT_TRUE(database_->ClaimNode("n1", "one", {"fed"}).ok());
    const absl::Status refused = database_->CheckNode("n1", "two", {"other", "fed"});
    EXPECT_THAT(std::string(refused.message()), HasSubstr("in another data directory, of \"fed\""));
    EXPECT_TRUE(database_->ClaimNode("n1", "two", {"other"}).ok());
  });
  EXPECT_EQ(*database_->DirectoryOf("n1"), "two");
}

TEST_F(DatabaseTest, RefusesASchemaOfALaterVersion) {
  database_.reset();
  // user_version: 4 bytes, big-endian, at offset 60 of the file.
  std::FILE* file = std::fopen(path().c_str(), "r+b");
  ASSERT_NE(file, nullptr);
  std::fseek(file, 60, SEEK_SET);
  std::fwrite("\0\0\0\x63", 1, 4, file);
  std::fclose(file);
  auto database = Database::Open(path(), Database::Sync::kOff);
  EXPECT_EQ(database.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(database.status().message(), HasSubstr("schema version 99"));
  EXPECT_THAT(database.status().message(), HasSubstr(path().string()));
}

TEST_F(DatabaseTest, RefusesAFileThatIsNoDatabase) {
  const std::filesystem::path text = directory_ / "text";
  ASSERT_TRUE(WriteFileAtomically(text, std::string(4096, 'x')).ok());
  EXPECT_EQ(Database::Open(text, Database::Sync::kOff).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(Database::Open(directory_ / "missing" / "f", Database::Sync::kOff).status().code(),
            absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace cairn
