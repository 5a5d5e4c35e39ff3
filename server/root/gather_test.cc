// Rounds that are larger than the memory of the root that fetches them.
#include "server/root/gather.h"

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "aggregators/blame.h"
#include "base/digest.h"
#include "base/test_directory.h"
#include "base/worker_pool.h"
#include "server/store/shared/shared_store.h"

namespace cairn {
namespace {

constexpr std::size_t kUpdateBytes = 1 * limits::kMiB;
constexpr std::uint64_t kBudget = 4 * 2 * limits::kMiB;  // Of four such updates: each takes whole 2 MiB.
constexpr std::chrono::seconds kPatience{20};            // Then it waits for ever.

// A node whose updates all begin with the name of their client.
class OneNode final : public Nodes {
 public:
  explicit OneNode(Store* store) : store_(store) {}

  absl::Status Fetch(const std::string&, const UploadKey& key) override {
    if (failure) return failure(key.client);
    auto begun = std::make_shared<std::promise<absl::StatusOr<std::unique_ptr<Upload>>>>();
    auto future = begun->get_future();
    const Store::Ticket ticket =
        store_->Begin(key, &opener_, [begun](auto upload) { begun->set_value(std::move(upload)); });
    if (future.wait_for(kPatience) != std::future_status::ready && store_->Cancel(ticket)) {
      return absl::DeadlineExceededError(absl::StrCat("no room for the update of ", key.client));
    }
    absl::StatusOr<std::unique_ptr<Upload>> upload = future.get();
    if (!upload.ok()) return upload.status();
    if (const absl::Status written = (*upload)->Append({BytesOf(key.client)}); !written.ok()) return written;
    return store_->Seal(*std::move(upload), key.sha256);
  }
  absl::StatusOr<std::unique_ptr<RoundTotal>> Sum(const std::string&, const PublishJob&) override {
    return absl::UnimplementedError("");
  }
  void Remind(const std::string&) override {}
  void Stop() override {}

  static std::string BytesOf(const std::string& client) {
    return client + std::string(kUpdateBytes - client.size(), '.');
  }

  std::function<absl::Status(const std::string& client)> failure;  // Null: none.

 private:
  Store* store_;
  WorkerPool opener_{1};
};

class GatherTest : public ::testing::Test {
 protected:
  void Add(const std::string& client, const std::string& node) {
    const std::string bytes = OneNode::BytesOf(client);
    ReceiptRow receipt{"fed", 1, client, Sha256Hex(bytes), bytes.size(), 1, "{}", 0, node};
    job_.contributions.push_back({receipt, nullptr});
  }
  // Of a client of the root itself.
  void AddHere(const std::string& client) {
    Add(client, "");
    Contribution& own = job_.contributions.back();
    ASSERT_TRUE(nodes_.Fetch("", KeyOf(own.receipt)).ok());
    auto blob = store_->Find("fed", UpdateName(client, own.receipt.sha256));
    ASSERT_TRUE(blob.ok()) << blob.status();
    own.payload = *std::move(blob);
  }

  TestDirectory directory_;
  std::unique_ptr<SharedStore> shared_ =
      *SharedStore::Open({.budget = kBudget, .spill_directory = directory_ / "spill"});
  std::unique_ptr<Store> store_ = OpenMemoryStore(shared_.get());
  OneNode nodes_{store_.get()};
  PublishJob job_{"fed", Method{}, 1, "", {}, {}, directory_.path()};
};

TEST_F(GatherTest, BringsMoreThanMemoryHolds) {
  for (const char* client : {"a", "b", "c"}) AddHere(client);
  for (int i = 0; i < 9; ++i) Add(absl::StrCat("n", i), "n1");
  const absl::Status gathered = Gather(job_, store_.get(), &nodes_);
  ASSERT_TRUE(gathered.ok()) << gathered;
  for (const Contribution& contribution : job_.contributions) {
    EXPECT_EQ(contribution.payload->bytes(), OneNode::BytesOf(contribution.receipt.client));
  }
  EXPECT_GE(shared_->stats().spilled, 8u);
}

TEST_F(GatherTest, WhatIsAllHereIsLeftAsItIs) {
  AddHere("a");
  const Blob* const held = job_.contributions.front().payload.get();
  ASSERT_TRUE(Gather(job_, store_.get(), &nodes_).ok());
  EXPECT_EQ(job_.contributions.front().payload.get(), held);
}

TEST_F(GatherTest, SaysWhoseUpdatesANodeHasLostAndThatThereWasNoRoom) {
  for (const char* client : {"a", "b"}) Add(client, "n1");
  nodes_.failure = [](const std::string& client) { return absl::NotFoundError(client); };
  EXPECT_EQ(BlamedClients(Gather(job_, store_.get(), &nodes_)), (std::vector<std::string>{"a", "b"}));
  nodes_.failure = [](const std::string&) { return NoRoom(absl::ResourceExhaustedError("full")); };
  const absl::Status full = Gather(job_, store_.get(), &nodes_);
  EXPECT_EQ(full.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(IsNoRoom(full));
  EXPECT_FALSE(IsNoRoom(absl::ResourceExhaustedError("full")));
}

}  // namespace
}  // namespace cairn
