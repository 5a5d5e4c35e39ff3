// The shared store and the dispatcher of a node in the test's own process, with real worker processes.
#pragma once

#include <gtest/gtest.h>
#include <sys/types.h>

#include <cstddef>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/test_directory.h"
#include "server/root/publish.h"
#include "server/tree/local_tree.h"

namespace cairn::testing {

class TreeFixture : public ::testing::Test {
 protected:
  ~TreeFixture() override;

  // "NAME=ACTION" for every worker that is started from now on; each is done by one of them.
  void SetFailpoints(const std::string& points);
  // Whether a worker has come by.
  bool Passed(const std::string& failpoint) const;
  // Fills in folders and the program.
  void Start(tree::LocalTreeOptions options);
  // With no worker processes but those that the test starts.
  void StartByHand(tree::LocalTreeOptions options);
  std::set<pid_t> AwaitWorkers(std::size_t count);

  // Round 1 with so many updates, in files.
  PublishJob Round(std::size_t clients, const std::string& combine = "mean");
  // The same updates in the shared store.
  PublishJob InMemory(PublishJob job);
  void Offer(const PublishJob& job);
  // What comes within a minute.
  absl::StatusOr<std::unique_ptr<RoundTotal>> Sum(const PublishJob& job);
  // That the sum is that of the job's updates.
  static void ExpectSumOf(const PublishJob& job, const absl::StatusOr<std::unique_ptr<RoundTotal>>& total);

  const TestDirectory directory_, once_;
  std::unique_ptr<tree::LocalTree> tree_;
};

}  // namespace cairn::testing
