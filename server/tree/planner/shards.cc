#include "server/tree/planner/shards.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <unordered_map>
#include <utility>

#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "server/tree/planner/input.h"

namespace cairn::planner {
namespace {

constexpr int kNone = -1;

// The modules of each node while they are spread.
class Shards {
 public:
  Shards(const std::vector<const Module*>& modules, const std::vector<const ShardNode*>& nodes)
      : modules_(modules), nodes_(nodes), node_of_(modules.size(), kNone), held_(nodes.size()), bytes_(nodes.size()) {
    std::unordered_map<std::string, int> living;
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      if (nodes[i]->alive) living.emplace(nodes[i]->id, static_cast<int>(i));
    }
    for (std::size_t m = 0; m < modules.size(); ++m) {
      const auto it = living.find(modules[m]->node);
      if (it != living.end()) Put(static_cast<int>(m), it->second);
    }
  }

  int node_of(int module) const { return node_of_[module]; }
  std::size_t held(int node) const { return held_[node].size(); }
  std::uint64_t bytes(int node) const { return bytes_[node]; }

  // Longest first, each where it is done soonest.
  void PlaceHomeless() {
    std::vector<int> homeless;
    for (std::size_t m = 0; m < modules_.size(); ++m) {
      if (node_of_[m] == kNone) homeless.push_back(static_cast<int>(m));
    }
    std::stable_sort(homeless.begin(), homeless.end(),
                     [this](int a, int b) { return modules_[a]->bytes > modules_[b]->bytes; });
    for (const int module : homeless) Put(module, Soonest(module));
  }

  // Every move leaves its target clearly below where its source was, so the sorted loads fall until none is left.
  void Rebalance(double tolerance) {
    while (MoveOne(tolerance)) {
    }
  }

 private:
  struct Longest {
    const std::vector<const Module*>* modules;
    bool operator()(int a, int b) const {
      const auto &x = *(*modules)[a], &y = *(*modules)[b];
      return x.bytes != y.bytes ? x.bytes > y.bytes : a < b;
    }
  };

  double Seconds(int node, std::uint64_t more = 0) const {
    return static_cast<double>(bytes_[node] + more) / nodes_[node]->speed;
  }

  int Soonest(int module) const {
    int best = kNone;
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      const int node = static_cast<int>(i);
      if (!nodes_[i]->alive) continue;
      if (best == kNone || Seconds(node, modules_[module]->bytes) < Seconds(best, modules_[module]->bytes)) best = node;
    }
    return best;
  }

  void Put(int module, int node) {
    if (node_of_[module] != kNone) {
      held_[node_of_[module]].erase(module);
      bytes_[node_of_[module]] -= modules_[module]->bytes;
    }
    node_of_[module] = node;
    held_[node].insert(module);
    bytes_[node] += modules_[module]->bytes;
  }

  // The largest module of the busiest node that is better off elsewhere.
  bool MoveOne(double tolerance) {
    int busiest = kNone;
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      const int node = static_cast<int>(i);
      if (nodes_[i]->alive && (busiest == kNone || Seconds(node) > Seconds(busiest))) busiest = node;
    }
    if (busiest == kNone) return false;
    std::vector<int> candidates(held_[busiest].begin(), held_[busiest].end());
    std::sort(candidates.begin(), candidates.end(), Longest{&modules_});
    for (const int module : candidates) {
      const std::uint64_t bytes = modules_[module]->bytes;
      const int target = Soonest(module);
      if (bytes == 0 || target == busiest || Seconds(target, bytes) >= Seconds(busiest) * (1 - tolerance)) continue;
      Put(module, target);
      return true;
    }
    return false;
  }

  const std::vector<const Module*>& modules_;
  const std::vector<const ShardNode*>& nodes_;
  std::vector<int> node_of_;
  std::vector<std::set<int>> held_;
  std::vector<std::uint64_t> bytes_;
};

absl::Status Check(const ShardInput& input) {
  bool alive = false;
  for (const ShardNode& node : input.nodes) {
    alive |= node.alive;
    if (!std::isfinite(node.speed) || node.speed <= 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("planner: node \"", node.id, "\": speed is ", node.speed, ", expected a number > 0"));
    }
  }
  if (!std::isfinite(input.tolerance) || input.tolerance < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("planner: tolerance is ", input.tolerance, ", expected a number >= 0"));
  }
  if (input.modules.empty() || alive) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("planner: ", input.modules.size(), " modules, and none of ", input.nodes.size(), " nodes is alive"));
}

}  // namespace

absl::StatusOr<ShardPlan> PlanShards(const ShardInput& input) {
  CAIRN_RETURN_IF_ERROR(Check(input));
  CAIRN_ASSIGN_OR_RETURN(const auto modules, SortedById("module", input.modules, &Module::name));
  CAIRN_ASSIGN_OR_RETURN(const auto nodes, SortedById("node", input.nodes, &ShardNode::id));
  Shards shards(modules, nodes);
  shards.PlaceHomeless();
  if (input.rebalance) shards.Rebalance(input.tolerance);
  ShardPlan plan;
  for (std::size_t m = 0; m < modules.size(); ++m) {
    plan.modules.push_back({modules[m]->name, nodes[shards.node_of(static_cast<int>(m))]->id, modules[m]->node});
  }
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const int node = static_cast<int>(i);
    plan.nodes.push_back({nodes[i]->id, nodes[i]->alive, shards.held(node), shards.bytes(node)});
  }
  return plan;
}

std::string Explain(const ShardLoad& node) {
  if (!node.alive) return absl::StrCat("node ", node.node, ": lost");
  return absl::StrFormat("node %s: %d module%s, %.1f MB", node.node, node.modules, node.modules == 1 ? "" : "s",
                         1e-6 * static_cast<double>(node.bytes));
}

}  // namespace cairn::planner
