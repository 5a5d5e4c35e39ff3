// Workers that are alive and do nothing.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <set>

#include "server/root/published_files.h"
#include "tests/integration/tree_fixture.h"
#include "tests/integration/worker_pids.h"

namespace cairn::testing {
namespace {

class TreeHangTest : public TreeFixture {
 protected:
  // Signs of life come four times a lease.
  void StartTwo(absl::Duration stuck) {
    Start({.budget = 64 << 20, .lease = absl::Seconds(2), .stuck = stuck, .workers = 2});
  }
};

TEST_F(TreeHangTest, AWorkerThatHangsIsReplacedAndItsUpdatesAreFoldedByOthers) {
  SetFailpoints("worker.in_fold=hang");
  StartTwo(absl::Seconds(3));
  const std::set<pid_t> before = AwaitWorkers(2);
  const PublishJob job = Round(7);
  Offer(job);
  ExpectSumOf(job, Sum(job));
  EXPECT_TRUE(Passed("worker.in_fold"));
  EXPECT_TRUE(Eventually([&] { return WorkersOf(::getpid()) != before; }));
}

// The other one waits for it for as long.
TEST_F(TreeHangTest, OfShardsOnlyTheOneThatHangsIsEnded) {
  SetFailpoints("worker.in_shard=hang");
  StartTwo(absl::Seconds(8));  // Libraries are loaded meanwhile.
  const std::set<pid_t> before = AwaitWorkers(2);
  PublishJob job = Round(7, "stack");
  job.method.rule = "multi_krum:f=1";
  std::filesystem::create_directories(AdapterPath(job.data_dir, job.federation, "").parent_path());
  const auto parts = tree_->sharder()->Combine(job);
  EXPECT_TRUE(parts.ok()) << parts.status();
  EXPECT_TRUE(Passed("worker.in_shard"));
  const std::set<pid_t> after = WorkersOf(::getpid());
  std::set<pid_t> stayed;
  std::set_intersection(before.begin(), before.end(), after.begin(), after.end(),
                        std::inserter(stayed, stayed.begin()));
  EXPECT_EQ(stayed.size(), 1u);
}

}  // namespace
}  // namespace cairn::testing
