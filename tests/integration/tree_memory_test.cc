// Workers that find no memory for their sums say so, and live on.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <set>
#include <utility>
#include <vector>

#include "proto/cairn/v1/tree.pb.h"
#include "server/store/shared/testing.h"
#include "server/tree/node_objects.h"
#include "server/tree/task_status.h"
#include "server/tree/update_place.h"
#include "server/tree/worker_sum.h"
#include "tests/integration/tree_fixture.h"
#include "tests/integration/worker_pids.h"

namespace cairn::testing {
namespace {

constexpr std::uint64_t kSlabs = 4, kSumSlabs = 2;  // Of memory in all, and for one sum of two planes.

class TreeMemoryTest : public TreeFixture {
 protected:
  void StartTwo() {
    Start({.budget = kSlabs * kSlab, .lease = absl::Seconds(1), .workers = 2});
    before_ = AwaitWorkers(2);
  }
  // Takes memory that nobody can spill.
  void Take(std::uint64_t slabs) {
    for (std::uint64_t i = 0; i < slabs; ++i) {
      auto object = Waiting(*tree_->store(), kSlab).Take();
      ASSERT_TRUE(object.ok()) << object.status();
      taken_.push_back(*std::move(object));
    }
  }
  void ExpectNobodyWasEnded() {
    EXPECT_EQ(tree_->workers(), 2u);
    EXPECT_EQ(WorkersOf(::getpid()), before_);
  }
  void TearDown() override { taken_.clear(); }

  std::set<pid_t> before_;
  std::vector<WritableObject> taken_;
};

TEST_F(TreeMemoryTest, WithRoomForOneSumOneWorkerFolds) {
  StartTwo();
  Take(kSlabs - kSumSlabs);
  const PublishJob job = Round(9);
  Offer(job);
  ExpectSumOf(job, Sum(job));
  ExpectNobodyWasEnded();
}

TEST_F(TreeMemoryTest, WithoutRoomTheSumCannotBeHadAndNobodyIsEnded) {
  StartTwo();
  Take(kSlabs);
  const PublishJob job = Round(9);
  Offer(job);
  const auto total = Sum(job);
  EXPECT_TRUE(absl::IsResourceExhausted(total.status())) << total.status();
  EXPECT_EQ(tree_->store()->stats().waiting, 0u);
  ExpectNobodyWasEnded();
}

TEST_F(TreeMemoryTest, ARoundThatFoundNoRoomWhileItWasOpenMayFindSomeWhenItIsClosed) {
  StartTwo();
  Take(kSlabs);
  const PublishJob job = Round(9);
  Offer(job);
  EXPECT_TRUE(Eventually([&] { return tree_->store()->stats().waiting > 0; }));
  EXPECT_TRUE(Eventually([&] { return tree_->store()->stats().waiting == 0; })) << "it waits for ever";
  taken_.clear();
  ExpectSumOf(job, Sum(job));
  ExpectNobodyWasEnded();
}

// In this process.
class WorkerSumTest : public TreeMemoryTest {
 protected:
  v1::WorkerReply Fold(const PublishJob& job) {
    auto objects = tree::NodeObjects::Connect(directory_ / "node");
    EXPECT_TRUE(objects.ok()) << objects.status();
    v1::FoldTask task;
    task.set_combine(job.method.combine);
    for (const Contribution& contribution : job.contributions) {
      v1::UpdatePlace& place = *task.add_updates() = tree::PlaceOf(contribution);
      place.set_adapter_config(contribution.receipt.adapter_config);
    }
    return tree::WorkerSum(*std::move(objects)).Fold(task);
  }
};

TEST_F(WorkerSumTest, SaysWhatItTakes) {
  StartByHand({.budget = kSlabs * kSlab, .lease = absl::Seconds(1), .workers = 1});
  const v1::WorkerReply reply = Fold(Round(9));
  EXPECT_FALSE(reply.lost());
  EXPECT_EQ(reply.plane_bytes(), 2 * 4 * (64 + 48) * sizeof(std::int64_t)) << "two modules of rank 4";
  EXPECT_EQ(reply.planes(), kSumSlabs);
}

TEST_F(WorkerSumTest, WithoutRoomForAllOfItNothingOfItStays) {
  StartByHand({.budget = kSlabs * kSlab, .lease = absl::Seconds(1), .workers = 1});
  Take(kSlabs - 1);
  const v1::WorkerReply reply = Fold(Round(9));
  EXPECT_TRUE(reply.lost());
  EXPECT_EQ(reply.plane_bytes(), 0u);
  ASSERT_EQ(reply.updates_size(), 9);
  for (const v1::TaskStatus& result : reply.updates()) {
    EXPECT_TRUE(absl::IsResourceExhausted(tree::StatusOf(result))) << tree::StatusOf(result);
  }
}

}  // namespace
}  // namespace cairn::testing
