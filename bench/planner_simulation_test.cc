// Rounds that are small enough to reckon by hand.
#include "bench/planner_simulation.h"

#include <gtest/gtest.h>

#include "bench/planner_costs.h"
#include "bench/planner_policies.h"

namespace cairn::bench {
namespace {

constexpr double kMB = 1e6;

// Two machines in two zones: 100 MB/s of network, 1000 MB/s of fold.
World SmallWorld() {
  World world;
  world.machines = {{"n0", 0, 4, 100 * kMB, 1000 * kMB}, {"n1", 1, 4, 100 * kMB, 1000 * kMB}};
  return world;
}

RoundPlan PlanTo(std::vector<int> machine_of, std::vector<Staff> staff) {
  return {std::move(staff), 0, [machine_of](int sender, const auto&) { return machine_of[sender]; }};
}

TEST(PlannerSimulation, OneUpdateIsUploadedFoldedAndMerged) {
  World world = SmallWorld();
  world.senders = {{"c0", 0, 100'000'000, 50 * kMB}};
  const RoundResult result = SimulateRound(world, {1.0}, PlanTo({0}, {{1, 0, 2}, {0, 0, 0}}));
  EXPECT_DOUBLE_EQ(result.stored, 3.0);                // 2 s through its own link; the machine's would do it in 1.
  EXPECT_DOUBLE_EQ(result.makespan, 3.0 + 0.1 + 0.2);  // Fold, and the root adds 200 MB of sums.
  EXPECT_NEAR(result.cpu_seconds, 0.1 + 0.2 + 100 * kMB * kReceiveCpuPerByte, 1e-9);
  EXPECT_DOUBLE_EQ(result.worker_seconds, 2 * result.makespan);
  EXPECT_EQ(result.bytes_between_nodes, 0);
  EXPECT_EQ(result.machines[0].updates, 1);
  EXPECT_NEAR(result.machines[0].seconds_per_update, 0.1, 1e-12);
}

TEST(PlannerSimulation, UploadsShareTheNetworkAndLeavesShareTheQueue) {
  World world = SmallWorld();
  world.senders = {{"c0", 0, 100'000'000, 1e12}, {"c1", 0, 100'000'000, 1e12}};
  const RoundResult result = SimulateRound(world, {0, 0}, PlanTo({0, 0}, {{1, 1, 2}, {0, 0, 0}}));
  EXPECT_DOUBLE_EQ(result.stored, 2.0);
  // The only leaf is cold for a second: ready when the first update is.
  EXPECT_NEAR(result.machines[0].seconds_per_update, 0.1, 1e-12);
  EXPECT_NEAR(result.makespan, 2.0 + 0.1 + 0.2, 1e-12);
}

TEST(PlannerSimulation, PartialsCrossToTheRoot) {
  World world = SmallWorld();
  world.senders = {{"c0", 0, 100'000'000, 1e12}, {"c1", 0, 100'000'000, 1e12}};
  const RoundResult result = SimulateRound(world, {0, 0}, PlanTo({0, 1}, {{1, 0, 2}, {1, 0, 1}}));
  EXPECT_EQ(result.bytes_between_nodes, 200 * kMB);
  EXPECT_EQ(result.bytes_between_zones, 300 * kMB);  // c1 is away from home, and its machine's partial.
  // Stored at 4 s and folded at 4.1; 200 MB with half of 100 MB/s, then the root's second merge.
  EXPECT_NEAR(result.makespan, 4.1 + 4.0 + 0.2, 1e-9);
  EXPECT_EQ(result.machines_used, 2);
}

TEST(PlannerSimulation, TheSameSeedGivesTheSameRoundsAndAllAreFolded) {
  const World world = MakeWorld(10, 200, 5);
  for (const Policy policy :
       {Policy::kPlanner, Policy::kLeastConnection, Policy::kLeastConnectionInZone, Policy::kRoundRobin}) {
    const auto first = SimulateRounds(world, policy, {Arrivals::kBursts, 10, 3, 9});
    const auto second = SimulateRounds(world, policy, {Arrivals::kBursts, 10, 3, 9});
    ASSERT_TRUE(first.ok() && second.ok()) << first.status() << second.status();
    EXPECT_EQ(first->last.makespan, second->last.makespan);
    EXPECT_GT(first->last.makespan, 5);
    const auto other = SimulateRounds(world, policy, {Arrivals::kBursts, 10, 3, 10});
    EXPECT_NE(first->last.makespan, other->last.makespan);
  }
}

}  // namespace
}  // namespace cairn::bench
