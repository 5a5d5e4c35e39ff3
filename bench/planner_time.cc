#include "bench/planner_time.h"

#include <algorithm>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "base/table.h"
#include "bench/median.h"
#include "bench/planner_world.h"
#include "bench/seconds.h"

namespace cairn::bench {
namespace {

constexpr double kWindow = 30;           // Seconds.
constexpr double kPlanSecondsMax = 0.2;  // Ten times the goal: a busy machine must not fail it.

struct Case {
  std::string name;
  planner::Input input;
};

planner::Input Heavier(planner::Input input, double factor) {
  for (planner::Client& client : input.clients) client.updates_per_second *= factor;
  return input;
}

planner::Input WithoutRoot(planner::Input input) {
  for (planner::Node& node : input.nodes) node.alive &= node.id != input.root;
  return input;
}

planner::Input Shuffled(planner::Input input) {
  Dice dice(1);
  for (std::size_t i = input.clients.size(); i > 1; --i) {
    std::swap(input.clients[i - 1], input.clients[static_cast<std::size_t>(dice.Unit() * static_cast<double>(i))]);
  }
  return input;
}

planner::Input AllOn(planner::Input input, const std::string& node) {
  for (planner::Client& client : input.clients) client.node = node;
  return input;
}

absl::StatusOr<std::vector<Case>> Cases(int clients, int nodes) {
  const planner::Input fresh = InputOf(MakeWorld(nodes, clients, 1), kWindow);
  CAIRN_ASSIGN_OR_RETURN(const planner::Plan plan, planner::MakePlan(fresh));
  const planner::Input placed = planner::Applied(fresh, plan);
  return std::vector<Case>{{"first plan", fresh},
                           {"first plan, clients in any order", Shuffled(fresh)},
                           {"nothing changed", placed},
                           {"a node is lost", WithoutRoot(placed)},
                           {"a tenth more load", Heavier(placed, 1.1)},
                           {"twice the load", Heavier(placed, 2)},
                           {"everybody on one node", AllOn(fresh, fresh.nodes[0].id)},
                           {"first plan, fits nowhere", Heavier(fresh, 20)},
                           {"twenty times the load", Heavier(placed, 20)}};
}

}  // namespace

absl::Status PrintPlanningTime(int clients, int nodes, int repetitions) {
  CAIRN_ASSIGN_OR_RETURN(const std::vector<Case> cases, Cases(clients, nodes));
  std::vector<std::vector<std::string>> rows = {{"planning time", "median ms", "min", "max", "moved", "nodes in use"}};
  double slowest = 0;
  for (const Case& one : cases) {
    std::vector<double> seconds;
    absl::StatusOr<planner::Plan> plan;
    for (int i = 0; i < repetitions; ++i) seconds.push_back(Seconds([&] { plan = planner::MakePlan(one.input); }));
    CAIRN_RETURN_IF_ERROR(plan.status());
    const auto used =
        std::count_if(plan->nodes.begin(), plan->nodes.end(), [](const auto& n) { return n.clients > 0; });
    const auto [low, high] = std::minmax_element(seconds.begin(), seconds.end());
    slowest = std::max(slowest, Median(seconds));
    rows.push_back({one.name, absl::StrFormat("%.2f", 1e3 * Median(seconds)), absl::StrFormat("%.2f", 1e3 * *low),
                    absl::StrFormat("%.2f", 1e3 * *high), absl::StrFormat("%d", plan->moved()),
                    absl::StrFormat("%d", used)});
  }
  std::printf("%d clients, %d nodes, %d repetitions\n\n%s", clients, nodes, repetitions,
              FormatTable(rows, Align::kRight).c_str());
  if (slowest <= kPlanSecondsMax) return absl::OkStatus();
  return absl::InternalError(
      absl::StrFormat("a plan took %.0f ms, expected at most %.0f ms", 1e3 * slowest, 1e3 * kPlanSecondsMax));
}

}  // namespace cairn::bench
