// A plan carried out.
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/tree/planner/plan.h"

namespace cairn::planner {
namespace {

void ApplyToClients(const Plan& plan, std::vector<Client>& clients) {
  std::map<absl::string_view, const Placement*> by_client;
  for (const Placement& placement : plan.clients) by_client.emplace(placement.client, &placement);
  for (Client& client : clients) {
    const auto it = by_client.find(client.id);
    if (it == by_client.end()) continue;
    if (client.node != it->second->node) client.held = false;  // It was held by a node that is lost.
    client.node = it->second->node;
  }
}

// An id that no worker of the node has.
std::string NewId(const std::string& node, std::set<std::string>& taken) {
  for (int number = 1;; ++number) {
    const std::string id = absl::StrCat(node, "-w", number);
    if (taken.insert(id).second) return id;
  }
}

void ApplyToWorkers(const NodePlan& plan, Node& node) {
  std::map<std::string, std::uint64_t> keys;
  std::set<std::string> taken;
  for (const Worker& worker : node.workers) {
    keys[worker.id] = worker.keys;
    taken.insert(worker.id);
  }
  std::vector<Worker> workers;
  for (const Assignment& assignment : plan.workers) {
    const std::string id = assignment.worker.empty() ? NewId(node.id, taken) : assignment.worker;
    workers.push_back({id, assignment.role, keys[id]});
  }
  node.workers = std::move(workers);
}

}  // namespace

Input Applied(Input input, const Plan& plan) {
  ApplyToClients(plan, input.clients);
  for (Node& node : input.nodes) {
    const NodePlan* planned = plan.Find(node.id);
    if (planned != nullptr) ApplyToWorkers(*planned, node);
  }
  input.root_held &= input.root == plan.root;
  input.root = plan.root;
  return input;
}

}  // namespace cairn::planner
