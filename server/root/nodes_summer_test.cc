#include "server/root/nodes_summer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <map>
#include <mutex>
#include <set>

#include "absl/strings/str_cat.h"
#include "aggregators/blame.h"
#include "base/digest.h"
#include "base/worker_pool.h"
#include "server/root/publish_fixture.h"
#include "server/store/store.h"

namespace cairn {
namespace {

using testing::InMemoryUpdate;
using testing::MakeUpdate;

// Nodes that are objects here: each has its updates, and a HereSummer.
class FakeNodes final : public Nodes {
 public:
  explicit FakeNodes(Store* store) : store_(store) {}

  void Keep(const std::string& node, const Contribution& contribution) {
    updates_[node][contribution.receipt.client] = contribution;
  }
  absl::Status Fetch(const std::string& node, const UploadKey& key) override {
    {
      std::lock_guard lock(mutex_);
      fetched.insert(key.client);
    }
    const absl::string_view bytes = updates_.at(node).at(key.client).payload->bytes();
    std::promise<absl::StatusOr<std::unique_ptr<Upload>>> begun;
    store_->Begin(key, &opener_, [&](auto upload) { begun.set_value(std::move(upload)); });
    absl::StatusOr<std::unique_ptr<Upload>> upload = begun.get_future().get();
    if (!upload.ok()) return upload.status();
    if (const absl::Status written = (*upload)->Append({bytes}); !written.ok()) return written;
    return store_->Seal(*std::move(upload), key.sha256);
  }
  absl::StatusOr<std::unique_ptr<RoundTotal>> Sum(const std::string& node, const PublishJob& job) override {
    if (const auto failure = failures.find(node); failure != failures.end()) return failure->second;
    PublishJob own = job;
    for (Contribution& contribution : own.contributions) {
      EXPECT_EQ(contribution.payload, nullptr);
      contribution.payload = updates_.at(node).at(contribution.receipt.client).payload;
    }
    if (forgets.count(node) > 0) own.contributions.pop_back();
    return HereSummer().Sum(own);
  }
  void Remind(const std::string&) override {}
  void Stop() override {}

  std::map<std::string, absl::Status> failures;  // By node: what it answers.
  std::set<std::string> forgets;                 // Nodes that leave out an update.
  std::set<std::string> fetched;                 // Clients.

 private:
  Store* store_;
  std::mutex mutex_;  // Of `fetched`, while there is somebody who fetches.
  WorkerPool opener_{1};
  std::map<std::string, std::map<std::string, Contribution>> updates_;
};

class NodesSummerTest : public testing::PublishFixture {
 protected:
  // Seven clients, with what the rule takes: of ranks and types that differ, if it may be.
  static std::vector<testing::Sent> Cohort(const std::string& combine) {
    std::vector<testing::Sent> cohort;
    for (int i = 0; i < 7; ++i) {
      const std::int64_t rank = combine == "zero_pad" ? 1 + i % 4 : 3;
      const DType dtype = combine == "dense_mean" || i % 2 == 0 ? DType::kF32 : DType::kBF16;
      cohort.push_back({absl::StrCat("c", i), static_cast<std::uint64_t>(1 + 10 * i),
                        MakeUpdate(40 + i, testing::kTwoModules, rank, 2, dtype)});
    }
    return cohort;
  }
  PublishJob JobFor(const std::string& combine) {
    PublishJob job = Job(1, Cohort(combine), combine);
    for (Contribution& contribution : job.contributions) {
      contribution.receipt.sha256 = Sha256Hex(contribution.payload->bytes());
      contribution.receipt.bytes = contribution.payload->bytes().size();
    }
    return job;
  }
  // Every third update stays here, the others go to one node and another.
  PublishJob Spread(PublishJob job) {
    job.summer = &summer_;
    for (std::size_t i = 0; i < job.contributions.size(); ++i) {
      if (i % 3 != 0) Move(i % 3 == 1 ? "n1" : "n2", job.contributions[i]);
    }
    return job;
  }
  void Move(const std::string& node, Contribution& contribution) {
    contribution.receipt.node = node;
    nodes_.Keep(node, contribution);
    const absl::string_view bytes = contribution.payload->bytes();
    const auto header = SafetensorsHeaderBytes(bytes, bytes.size());
    ASSERT_TRUE(header.ok());
    contribution.header = std::make_shared<const std::string>(bytes.substr(0, *header));
    contribution.payload = nullptr;
  }
  // The published file's digest, with its config.
  static std::string FileOf(const PublishJob& job) {
    const auto publication = Publish(job);
    if (!publication.ok()) return publication.status().ToString();
    return publication->version.whole.sha256 + publication->version.whole.config;
  }

  std::unique_ptr<Store> store_ = *OpenFileStore(directory_.path(), 64 << 20);
  FakeNodes nodes_{store_.get()};
  HereSummer local_;
  NodesSummer summer_{&local_, &nodes_, store_.get()};
};

TEST_F(NodesSummerTest, PublishesTheBytesOfOneServer) {
  for (const std::string combine : {"mean", "zero_pad", "dense_mean"}) {
    const PublishJob job = JobFor(combine);
    const std::string alone = FileOf(job);
    ASSERT_TRUE(IsSha256Hex(alone.substr(0, 64))) << alone;
    EXPECT_EQ(FileOf(Spread(job)), alone) << combine;
  }
  EXPECT_TRUE(nodes_.fetched.empty());
}

TEST_F(NodesSummerTest, WhatTheGuardFiniteHasSeenIsNotLookedAtAgain) {
  PublishJob job = JobFor("mean");
  job.method.guards = {"finite"};
  const std::string alone = FileOf(job);
  ASSERT_TRUE(IsSha256Hex(alone.substr(0, 64))) << alone;
  EXPECT_EQ(FileOf(Spread(job)), alone);
}

TEST_F(NodesSummerTest, FetchesFromANodeThatDoesNotAddUp) {
  const PublishJob job = JobFor("zero_pad");
  const std::string alone = FileOf(job);
  nodes_.failures["n1"] = absl::UnimplementedError("old");
  EXPECT_EQ(FileOf(Spread(job)), alone);
  EXPECT_EQ(nodes_.fetched, (std::set<std::string>{"c1", "c4"}));
}

// Who refuses without saying whose update is wrong may be wrong itself.
TEST_F(NodesSummerTest, FetchesFromANodeThatRefusesAndBlamesNobody) {
  const PublishJob job = JobFor("mean");
  const std::string alone = FileOf(job);
  nodes_.failures["n1"] = absl::InvalidArgumentError("not the order of a sum");
  EXPECT_EQ(FileOf(Spread(job)), alone);
  EXPECT_EQ(nodes_.fetched, (std::set<std::string>{"c1", "c4"}));
}

TEST_F(NodesSummerTest, ASumOfOtherUpdatesIsNotUsed) {
  const PublishJob job = JobFor("mean");
  const std::string alone = FileOf(job);
  nodes_.forgets = {"n2"};
  EXPECT_EQ(FileOf(Spread(job)), alone);
  EXPECT_EQ(nodes_.fetched, (std::set<std::string>{"c2", "c5"}));
}

TEST_F(NodesSummerTest, WaitsForANodeThatIsAwayAndSaysWhoIsToBlame) {
  const PublishJob job = Spread(JobFor("mean"));
  nodes_.failures["n1"] = absl::UnavailableError("away");
  EXPECT_EQ(Publish(job).status(), nodes_.failures["n1"]);
  nodes_.failures["n1"] = BlameClient(absl::InvalidArgumentError("lost"), "c1");
  EXPECT_EQ(BlamedClient(Publish(job).status()), "c1");
  EXPECT_TRUE(nodes_.fetched.empty());
}

TEST_F(NodesSummerTest, NothingIsPublishedOnceItIsStopped) {
  const PublishJob job = Spread(JobFor("mean"));
  summer_.Stop();
  EXPECT_TRUE(absl::IsCancelled(Publish(job).status()));
}

TEST_F(NodesSummerTest, WithNothingAtNodesAndNobodyElseItIsNotWanted) {
  NodesSummer alone(nullptr, &nodes_, store_.get());
  PublishJob job = JobFor("mean");
  EXPECT_EQ(alone.Sum(job).status().code(), absl::StatusCode::kUnimplemented);
  const std::string expected = FileOf(job);
  job.summer = &alone;
  EXPECT_EQ(FileOf(job), expected);
}

TEST_F(NodesSummerTest, SumsHereNameTheClientWhoseUpdateCannotBeAdded) {
  PublishJob job = JobFor("mean");
  job.contributions[5].receipt.adapter_config = "{}";
  const absl::Status refused = HereSummer().Sum(job).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(BlamedClient(refused), "c5");
  // Of another rank than those before it, in the middle of some that are added together.
  job = JobFor("mean");
  const InMemoryUpdate wide = MakeUpdate(9, testing::kTwoModules, 5, 2);
  job.contributions[1].payload = std::make_shared<testing::BytesBlob>(wide.bytes().safetensors);
  job.contributions[1].receipt.adapter_config = wide.bytes().config_json;
  EXPECT_EQ(BlamedClient(HereSummer().Sum(job).status()), "c1");
}

}  // namespace
}  // namespace cairn
