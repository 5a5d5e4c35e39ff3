#include "bench/planner_policies.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "bench/planner_costs.h"
#include "server/tree/planner/load.h"

namespace cairn::bench {
namespace {

// The machine with the fewest open uploads, of those that `may` be taken; turns among equals.
template <typename May>
int FewestOpen(const std::vector<int>& open, int& turn, const May& may) {
  const int machines = static_cast<int>(open.size());
  int best = -1;
  for (int i = 0; i < machines; ++i) {
    const int m = (turn + i) % machines;
    if (may(m) && (best < 0 || open[m] < open[best])) best = m;
  }
  turn = (best + 1) % machines;
  return best;
}

Route RouteOf(Policy policy, const World& world) {
  if (policy == Policy::kRoundRobin) {
    return [machines = static_cast<int>(world.machines.size()), turn = 0](int, const auto&) mutable {
      return turn++ % machines;
    };
  }
  if (policy == Policy::kLeastConnection) {
    return [turn = 0](int, const std::vector<int>& open) mutable {
      return FewestOpen(open, turn, [](int) { return true; });
    };
  }
  std::vector<int> in_zone(kZones);
  for (const Machine& machine : world.machines) ++in_zone[machine.zone];
  return [&world, in_zone, turn = 0](int sender, const std::vector<int>& open) mutable {
    const int zone = world.senders[sender].zone;
    return FewestOpen(open, turn, [&](int m) { return in_zone[zone] == 0 || world.machines[m].zone == zone; });
  };
}

// Leaves, a top each, and the root on the machine with the widest network.
RoundPlan FixedPlan(Policy policy, const World& world, bool cold) {
  RoundPlan plan;
  plan.route = RouteOf(policy, world);
  plan.staff.assign(world.machines.size(), {kFixedLeaves, cold ? kFixedLeaves : 0, kFixedLeaves + 1});
  const auto widest = std::max_element(world.machines.begin(), world.machines.end(),
                                       [](const Machine& a, const Machine& b) { return a.network < b.network; });
  plan.root = static_cast<int>(widest - world.machines.begin());
  ++plan.staff[plan.root].up;
  return plan;
}

RoundPlan RoundPlanOf(const planner::Plan& plan) {
  RoundPlan round;
  std::vector<int> machine_of;
  for (const planner::Placement& placement : plan.clients) {  // Both ascending by id, as in the world.
    machine_of.push_back(static_cast<int>(plan.Find(placement.node) - plan.nodes.data()));
  }
  round.route = [machine_of = std::move(machine_of)](int sender, const auto&) { return machine_of[sender]; };
  for (const planner::NodePlan& node : plan.nodes) {
    if (node.node == plan.root) round.root = static_cast<int>(round.staff.size());
    const auto cold = std::count_if(node.workers.begin(), node.workers.end(), [](const planner::Assignment& a) {
      return a.worker.empty() && a.role == planner::Role::kLeaf;
    });
    round.staff.push_back(
        {static_cast<int>(node.leaves), static_cast<int>(cold), static_cast<int>(node.workers.size())});
  }
  return round;
}

absl::Status CheckFolded(const World& world, const RoundResult& result) {
  double bytes = 0;
  int updates = 0;
  for (const Sender& sender : world.senders) bytes += static_cast<double>(sender.bytes);
  for (const MachineResult& machine : result.machines) updates += machine.updates;
  if (updates == static_cast<int>(world.senders.size()) && std::abs(bytes - result.bytes_folded) < 1) {
    return absl::OkStatus();
  }
  return absl::InternalError(absl::StrCat("folded ", updates, " updates of ", world.senders.size()));
}

std::vector<planner::Measured> WindowsOf(const World& world, const RoundResult& result) {
  std::vector<planner::Measured> windows;
  for (std::size_t m = 0; m < result.machines.size(); ++m) {
    const MachineResult& machine = result.machines[m];
    if (machine.updates == 0) continue;
    windows.push_back({world.machines[m].id, machine.busiest_rate, machine.seconds_per_update});
  }
  return windows;
}

// Runs one more round and counts it.
absl::Status Play(const World& world, const Course& course, int round, int started, const RoundPlan& plan,
                  RoundsResult& result) {
  const auto starts = Starts(world, course.arrivals, course.window, course.seed * 1000 + round);
  result.last = SimulateRound(world, starts, plan);
  if (round == 0) result.first_makespan = result.last.makespan;
  result.started += started;
  result.cpu_seconds += (result.last.cpu_seconds + started * kStartCpuSeconds) / course.rounds;
  result.leaves = 0;
  for (const Staff& staff : plan.staff) result.leaves += staff.leaves;
  return CheckFolded(world, result.last);
}

absl::StatusOr<RoundsResult> RunPlanner(const World& world, const Course& course) {
  RoundsResult result;
  planner::Input input = InputOf(world, course.window);
  for (int round = 0; round < course.rounds; ++round) {
    CAIRN_ASSIGN_OR_RETURN(const planner::Plan plan, planner::MakePlan(input));
    result.moved += static_cast<int>(plan.moved());
    std::size_t started = 0;
    for (const planner::NodePlan& node : plan.nodes) started += node.started();
    CAIRN_RETURN_IF_ERROR(Play(world, course, round, static_cast<int>(started), RoundPlanOf(plan), result));
    input = planner::Learned(planner::Applied(std::move(input), plan), plan, WindowsOf(world, result.last));
  }
  return result;
}

absl::StatusOr<RoundsResult> RunFixed(const World& world, Policy policy, const Course& course) {
  RoundsResult result;
  for (int round = 0; round < course.rounds; ++round) {
    const RoundPlan plan = FixedPlan(policy, world, round == 0);
    int workers = 0;
    for (const Staff& staff : plan.staff) workers += staff.up;
    CAIRN_RETURN_IF_ERROR(Play(world, course, round, round == 0 ? workers : 0, plan, result));
  }
  return result;
}

}  // namespace

std::string NameOf(Policy policy) {
  switch (policy) {
    case Policy::kPlanner:
      return "planner";
    case Policy::kLeastConnection:
      return "least connection";
    case Policy::kLeastConnectionInZone:
      return "least connection in zone";
    case Policy::kRoundRobin:
      return "round robin";
  }
  return "";
}

absl::StatusOr<RoundsResult> SimulateRounds(const World& world, Policy policy, const Course& course) {
  return policy == Policy::kPlanner ? RunPlanner(world, course) : RunFixed(world, policy, course);
}

}  // namespace cairn::bench
