// A discrete-event simulation of one round: uploads through each node's network into its queue, leaves that fold as
// updates come, a top for each node, partials over the network to the root. Pure: the same arguments, the same result.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "bench/planner_world.h"

namespace cairn::bench {

// The workers of one machine.
struct Staff {
  int leaves = 0;
  int cold = 0;  // Of the leaves: start with the round.
  int up = 0;    // All processes that are there, in whichever role.
};

// Which machine an upload goes to: told the sender, and how many uploads are open on each machine.
using Route = std::function<int(int sender, const std::vector<int>& open)>;

struct MachineResult {
  int updates = 0;
  double busiest_rate = 0;        // Updates/s, over the busiest kRateWindow.
  double seconds_per_update = 0;  // From stored to folded.
};
inline constexpr double kRateWindow = 5;  // Seconds.

struct RoundResult {
  double makespan = 0;        // Seconds from the first upload's start to the root's last merge.
  double stored = 0;          // Seconds until the last update was stored.
  double cpu_seconds = 0;     // Receive, fold, merge, partials' transfer. Without starts of workers.
  double worker_seconds = 0;  // Processes that were up, times the makespan.
  double bytes_between_nodes = 0;
  double bytes_between_zones = 0;
  double bytes_folded = 0;  // For checks: of updates, each once.
  int machines_used = 0;
  std::vector<MachineResult> machines;
};

struct RoundPlan {
  std::vector<Staff> staff;  // By machine.
  int root = 0;
  Route route;
};

RoundResult SimulateRound(const World& world, const std::vector<double>& starts, const RoundPlan& plan);

}  // namespace cairn::bench
