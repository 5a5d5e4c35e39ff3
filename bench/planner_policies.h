// Ways to place clients, over several rounds: the planner, and what a load balancer in front of equal replicas does.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bench/planner_simulation.h"
#include "bench/planner_world.h"

namespace cairn::bench {

enum class Policy { kPlanner, kLeastConnection, kLeastConnectionInZone, kRoundRobin };
std::string NameOf(Policy policy);

// Of each machine without a planner, whatever it can do: as the replicas of a deployment.
inline constexpr int kFixedLeaves = 4;

struct RoundsResult {
  double first_makespan = 0;  // Before anything was learned, with cold workers.
  RoundResult last;
  double cpu_seconds = 0;  // Of a round, in the mean, with starts of workers.
  int started = 0;         // Workers, in all rounds.
  int moved = 0;           // Clients, in all rounds.
  int leaves = 0;          // In the last round.
};

struct Course {
  Arrivals arrivals = Arrivals::kPoisson;
  double window = 30;  // Seconds in which uploads begin.
  int rounds = 8;
  std::uint64_t seed = 1;
};

// INTERNAL: an update was lost or counted twice; the planner's errors.
absl::StatusOr<RoundsResult> SimulateRounds(const World& world, Policy policy, const Course& course);

}  // namespace cairn::bench
