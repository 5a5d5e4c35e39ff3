// Rounds that processes share: their updates on disk, the processes, and what the round gives in one piece.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "aggregators/pipeline.h"
#include "server/tree/planner/shards.h"
#include "tests/integration/child.h"

namespace cairn::testing {

inline constexpr int kLost = 3;                                 // The exit code of a worker whose group lost a member.
inline constexpr absl::Duration kPatience = absl::Seconds(60);  // Beyond it a test has failed.

// A process for each living node of a placement, in order of the nodes.
struct Group {
  std::string attempt;
  std::string rendezvous;
  planner::ShardPlan plan;
  absl::Duration timeout = absl::Seconds(30);
};

class ShardsFixture : public ::testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  std::string rendezvous() const { return "file:" + folder_.native(); }

  // Modules and tensors over so many nodes, "node-0" and so on; or those of `before` without a node.
  planner::ShardPlan Place(int nodes) const;
  planner::ShardPlan PlaceWithout(const planner::ShardPlan& before, const std::string& lost) const;

  // `halts` waits at its reduction `halt_at`: then "halted" is there.
  std::vector<Child> Start(const Group& group, int halts = -1, int halt_at = -1) const;
  void AwaitHalt() const;
  static int ExitCode(Child& child);
  std::string Log(const std::string& attempt, int rank) const;
  // Of a rank: what it gave to reductions, in bytes, and how many they were.
  std::pair<std::uint64_t, int> Travelled(const std::string& attempt, int rank) const;

  // The group's files, put together, are byte by byte what the rounds give in one piece; and so is what each says of
  // the clients.
  void ExpectWhole(const Group& group) const;

  std::filesystem::path folder_;

 private:
  void WriteUpdates() const;
  void RunWhole();
  planner::ShardPlan Plan(const planner::ShardInput& input) const;
  std::string Assembled(const Group& group, std::size_t round) const;

  // By round.
  std::vector<std::string> whole_, reports_;  // The bytes of the file; JSON.
  std::vector<PipelinePlan> plans_;
};

}  // namespace cairn::testing
