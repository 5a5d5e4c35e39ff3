#include "server/tree/planner/plan.h"

#include <algorithm>
#include <utility>

#include "base/status_macros.h"
#include "server/tree/planner/fleet.h"
#include "server/tree/planner/input.h"
#include "server/tree/planner/placement.h"
#include "server/tree/planner/roles.h"

namespace cairn::planner {
namespace {

using Nodes = std::vector<const Node*>;
using Clients = std::vector<const Client*>;

std::vector<Placement> PlacementsOf(const Nodes& nodes, const Clients& clients, const std::vector<Seat>& seats) {
  std::vector<Placement> placements;
  placements.reserve(seats.size());
  for (std::size_t i = 0; i < seats.size(); ++i) {
    placements.push_back({clients[i]->id, nodes[seats[i].node]->id, clients[i]->node, seats[i].why});
  }
  return placements;
}

// Sums go in order of the clients, so that a client that stays leaves every bit of them as it was.
std::vector<NodePlan> Loads(const Nodes& nodes, const Clients& clients, const std::vector<Seat>& seats) {
  std::vector<NodePlan> plans(nodes.size());
  for (std::size_t i = 0; i < seats.size(); ++i) {
    NodePlan& plan = plans[seats[i].node];
    ++plan.clients;
    plan.updates_per_second += clients[i]->updates_per_second;
    plan.bytes_per_second += seats[i].load;
  }
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    plans[i].node = nodes[i]->id;
    plans[i].alive = nodes[i]->alive;
    plans[i].capacity = nodes[i]->capacity;
    plans[i].load = plans[i].bytes_per_second * nodes[i]->fold_seconds_per_byte * nodes[i]->slowdown;
  }
  return plans;
}

// The node that takes most bytes has the root: its updates cross no network. The one that has it keeps it unless
// another is clearly ahead.
std::string ChooseRoot(const std::vector<NodePlan>& plans, const Input& input) {
  const NodePlan* best = nullptr;
  const NodePlan* now = nullptr;
  for (const NodePlan& plan : plans) {
    if (!plan.alive) continue;
    if (plan.node == input.root && (plan.clients > 0 || input.root_held)) now = &plan;
    if (plan.clients > 0 && (best == nullptr || plan.bytes_per_second > best->bytes_per_second)) best = &plan;
  }
  if (now != nullptr && input.root_held) return now->node;
  if (best == nullptr) return "";
  const double ahead = 1 + input.policy.tolerance;
  return now != nullptr && best->bytes_per_second <= now->bytes_per_second * ahead ? now->node : best->node;
}

}  // namespace

absl::StatusOr<Plan> MakePlan(const Input& input) {
  CAIRN_RETURN_IF_ERROR(CheckInput(input));
  CAIRN_ASSIGN_OR_RETURN(const Nodes nodes, SortedById("node", input.nodes));
  CAIRN_ASSIGN_OR_RETURN(const Clients clients, SortedById("client", input.clients));
  const std::vector<Seat> seats = Place(nodes, clients, input.policy);
  Plan plan{PlacementsOf(nodes, clients, seats), Loads(nodes, clients, seats), "", true};
  plan.root = ChooseRoot(plan.nodes, input);
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    plan.fits &= !plan.nodes[i].overloaded();
    if (!nodes[i]->alive) continue;
    CountLeaves(*nodes[i], input.policy, plan.nodes[i]);
    AssignRoles(*nodes[i], plan.nodes[i].node == plan.root, input.policy, plan.nodes[i]);
  }
  return plan;
}

std::size_t NodePlan::CountOf(Role role) const {
  return std::count_if(workers.begin(), workers.end(), [role](const Assignment& a) { return a.role == role; });
}

std::size_t NodePlan::started() const {
  return std::count_if(workers.begin(), workers.end(), [](const Assignment& a) { return a.worker.empty(); });
}

const NodePlan* Plan::Find(absl::string_view node) const {
  const auto it = std::lower_bound(nodes.begin(), nodes.end(), node,
                                   [](const NodePlan& plan, absl::string_view id) { return plan.node < id; });
  return it != nodes.end() && it->node == node ? &*it : nullptr;
}

std::size_t Plan::moved() const {
  return std::count_if(clients.begin(), clients.end(),
                       [](const Placement& placement) { return !placement.from.empty() && placement.moved(); });
}

}  // namespace cairn::planner
