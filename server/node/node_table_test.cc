#include "server/node/node_table.h"

#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/test_directory.h"
#include "base/worker_pool.h"
#include "server/node/incoming_update.h"
#include "server/root/gather.h"
#include "server/store/testing.h"

namespace cairn {
namespace {

class NodeTableTest : public ::testing::Test {
 protected:
  absl::StatusOr<NodeTable::Session> Arrive(
      const std::string& directory, const NodeTable::Then& then = [] {}) {
    v1::AttendRequest request;
    request.set_node("n1");
    request.set_directory(directory);
    return table_.Arrive(
        request, [](const v1::RootNotice&) {}, then);
  }

  TestDirectory directory_;
  std::unique_ptr<Store> store_ = *OpenFileStore(directory_.path(), 64 << 20);
  NodeTable table_{store_.get(), /*verify=*/true};
};

// Such as when it is killed and comes back before the root has found out.
TEST_F(NodeTableTest, ANodeWhoseOlderStreamEndsIsNotAway) {
  const auto older = Arrive("one"), newer = Arrive("one");
  ASSERT_TRUE(older.ok() && newer.ok());
  bool told = false;
  EXPECT_FALSE(table_.Leave(*older, [&] { told = true; }));
  EXPECT_FALSE(told);
  EXPECT_EQ(table_.attending().size(), 1u);
  EXPECT_TRUE(table_.Leave(*newer, [&] { told = true; }));
  EXPECT_TRUE(told);
  EXPECT_TRUE(table_.attending().empty());
}

TEST_F(NodeTableTest, NobodyIsToldOfASecondNodeOfTheName) {
  ASSERT_TRUE(Arrive("one").ok());
  bool told = false;
  EXPECT_EQ(Arrive("another", [&] { told = true; }).status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_FALSE(told);
}

TEST_F(NodeTableTest, OthersHearOfItInTheOrderInWhichItIs) {
  const auto older = Arrive("one");
  std::vector<std::string> heard;
  std::future<void> comes_back;
  EXPECT_TRUE(table_.Leave(*older, [&] {
    comes_back =
        std::async(std::launch::async, [&] { EXPECT_TRUE(Arrive("one", [&] { heard.push_back("back"); }).ok()); });
    std::this_thread::sleep_for(std::chrono::milliseconds(50));  // Without, this shows less but nothing wrong.
    heard.push_back("away");
  }));
  comes_back.get();
  EXPECT_EQ(heard, (std::vector<std::string>{"away", "back"}));
}

// A root whose memory is all in use by an upload.
class FullNodeTableTest : public ::testing::Test {
 protected:
  void SetUp() override {
    held_ = testing::Begun(*small_, {"fed", 1, "b", std::string(64, 'b'), 100}, &opener_).Take();
    ASSERT_TRUE(held_.ok()) << held_.status();
  }
  void Open(absl::Duration room_max) {
    full_ = std::make_unique<NodeTable>(small_.get(), /*verify=*/true, room_max);
    v1::AttendRequest request;
    request.set_node("n1");
    const auto arrived = full_->Arrive(
        request, [](const v1::RootNotice&) {}, [] {});
    ASSERT_TRUE(arrived.ok()) << arrived.status();
  }

  const UploadKey key_{"fed", 1, "a", std::string(64, 'a'), 100};
  TestDirectory files_;
  WorkerPool opener_{1};
  std::unique_ptr<Store> small_ = *OpenFileStore(files_.path(), kFileUploadReservation);
  std::unique_ptr<NodeTable> full_;
  absl::StatusOr<std::unique_ptr<Upload>> held_;
};

// Whose disk has lost its directories.
class GoneStore final : public Store {
 public:
  std::uint64_t Reservation(std::uint64_t) const override { return 0; }
  const ByteBudget& budget() const override { return budget_; }
  std::uint64_t ResumePoint(const UploadKey&) const override { return 0; }
  Ticket Begin(const UploadKey&, WorkerPool* workers, Begun begun) override {
    workers->Run([begun = std::move(begun)] { begun(absl::NotFoundError("uploads")); });
    return 0;
  }
  bool Cancel(Ticket) override { return false; }
  absl::Status Seal(std::unique_ptr<Upload>, const std::string&) override { return absl::DataLossError("disk"); }
  void Discard(std::unique_ptr<Upload>) override {}
  absl::StatusOr<std::shared_ptr<const Blob>> Find(const std::string&, const std::string&) override {
    return absl::NotFoundError("");
  }
  void Remove(const std::string&, const std::string&) override {}
  absl::Status Retain(const std::string&, std::uint64_t, absl::Span<const std::string>) override {
    return absl::OkStatus();
  }

 private:
  ByteBudget budget_{1};
};

// NOT_FOUND and DATA_LOSS would say that the node has lost the update.
TEST_F(NodeTableTest, WhatIsWrongWithTheRootsOwnStoreIsNotTheNodes) {
  GoneStore gone;
  NodeTable table(&gone, /*verify=*/true);
  v1::AttendRequest request;
  request.set_node("n1");
  const auto session = table.Arrive(
      request, [](const v1::RootNotice&) {}, [] {});
  ASSERT_TRUE(session.ok()) << session.status();
  UploadKey key{"fed", 1, "a", std::string(64, 'a'), 0};
  EXPECT_EQ(table.Fetch("n1", key), absl::InternalError("the root: uploads"));
  WorkerPool opener(1);
  {
    auto whole = testing::Begun(*store_, key, &opener).Take();
    ASSERT_TRUE(whole.ok()) << whole.status();
    IncomingUpdate incoming(key, "n1", *std::move(whole), /*verify=*/false);
    EXPECT_EQ(incoming.Seal(gone), absl::InternalError("the root: disk"));
  }
  key.bytes = 1;
  auto part = testing::Begun(*store_, key, &opener).Take();
  ASSERT_TRUE(part.ok()) << part.status();
  IncomingUpdate incoming(key, "n1", *std::move(part), /*verify=*/false);
  EXPECT_EQ(incoming.Seal(gone).code(), absl::StatusCode::kDataLoss);
}

TEST_F(FullNodeTableTest, AFetchWaitsForMemoryOnlySoLong) {
  Open(absl::Milliseconds(1));
  const absl::Status full = full_->Fetch("n1", key_);
  EXPECT_EQ(full.code(), absl::StatusCode::kResourceExhausted) << full;
  EXPECT_TRUE(IsNoRoom(full));
  EXPECT_EQ(small_->budget().waiting(), 0u);
}

TEST_F(FullNodeTableTest, NobodyWaitsForMemoryOnceItIsStopped) {
  Open(absl::Hours(1));
  auto fetched = std::async(std::launch::async, [&] { return full_->Fetch("n1", key_); });
  while (small_->budget().waiting() == 0) std::this_thread::yield();
  full_->Stop();
  EXPECT_EQ(fetched.get().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(full_->Fetch("n1", key_).code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(small_->budget().waiting(), 0u);
}

}  // namespace
}  // namespace cairn
