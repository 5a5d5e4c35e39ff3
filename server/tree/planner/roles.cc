#include "server/tree/planner/roles.h"

#include <algorithm>
#include <cmath>

namespace cairn::planner {
namespace {

// A sum of loads that is a multiple of I up to rounding asks for no further leaf.
constexpr double kRounding = 1e-9;

class Crew {
 public:
  explicit Crew(const Node& node) {
    for (const Worker& worker : node.workers) free_.push_back(&worker);
    std::sort(free_.begin(), free_.end(), [](const Worker* a, const Worker* b) { return a->id < b->id; });
  }

  // Up to `count` free workers that `suits`, those with keys first; returns how many roles are still to be filled.
  template <typename Suits>
  std::size_t Take(Role role, std::size_t count, NodePlan& plan, const Suits& suits) {
    for (const bool with_keys : {true, false}) {
      for (auto it = free_.begin(); it != free_.end() && count > 0;) {
        if (((*it)->keys > 0) != with_keys || !suits(**it)) {
          ++it;
          continue;
        }
        plan.workers.push_back({(*it)->id, role});
        it = free_.erase(it);
        --count;
      }
    }
    return count;
  }

  void DismissAll(NodePlan& plan) {
    for (const Worker* worker : free_) plan.stop.push_back(worker->id);
    free_.clear();
  }

 private:
  std::vector<const Worker*> free_;  // Ascending by id.
};

bool IsBefore(const Assignment& a, const Assignment& b) {
  const auto rank = [](Role role) {
    constexpr Role kOrder[] = {Role::kRoot, Role::kTop, Role::kLeaf, Role::kIdle, Role::kDraining};
    return std::find(std::begin(kOrder), std::end(kOrder), role) - std::begin(kOrder);
  };
  if (a.role != b.role) return rank(a.role) < rank(b.role);
  if (a.worker.empty() != b.worker.empty()) return b.worker.empty();
  return a.worker < b.worker;
}

}  // namespace

void CountLeaves(const Node& node, const Policy& policy, NodePlan& plan) {
  plan.leaves_wanted = plan.leaves = 0;
  if (plan.clients == 0) return;
  const double wanted = std::ceil(plan.load / policy.updates_per_leaf * (1 - kRounding));
  constexpr double kMax = 1 << 30;  // Before the conversion; far beyond any machine.
  plan.leaves_wanted = static_cast<std::uint32_t>(std::clamp(wanted, 1.0, kMax));
  plan.leaves = std::min(plan.leaves_wanted, node.cores);
}

void AssignRoles(const Node& node, bool is_root, const Policy& policy, NodePlan& plan) {
  Crew crew(node);
  struct Need {
    Role role;
    std::size_t count;
  };
  Need needs[] = {{is_root ? Role::kRoot : Role::kTop, is_root || plan.leaves > 1 ? 1U : 0U},
                  {Role::kLeaf, plan.leaves}};
  // All that go on as they are before any changes its role.
  for (auto& [role, count] : needs) {
    count = crew.Take(role, count, plan, [role = role](const Worker& worker) { return worker.role == role; });
  }
  Need& leaves = needs[1];
  leaves.count = crew.Take(Role::kLeaf, leaves.count, plan, [](const Worker& w) { return w.role == Role::kDraining; });
  for (auto& [role, count] : needs) {
    count = crew.Take(role, count, plan, [](const Worker& w) { return w.role == Role::kIdle && w.keys == 0; });
    count = crew.Take(role, count, plan, [](const Worker& w) { return w.keys == 0; });
    plan.workers.insert(plan.workers.end(), count, {"", role});
  }
  crew.Take(Role::kDraining, node.workers.size(), plan, [](const Worker& w) { return w.keys > 0; });
  crew.Take(Role::kIdle, policy.spare_workers, plan, [](const Worker&) { return true; });
  crew.DismissAll(plan);
  std::sort(plan.workers.begin(), plan.workers.end(), IsBefore);
}

}  // namespace cairn::planner
