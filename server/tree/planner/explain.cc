// The sentences that explain a plan.
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "server/tree/planner/plan.h"

namespace cairn::planner {
namespace {

absl::string_view NameOf(Why why) {
  switch (why) {
    case Why::kHeld:
      return "its update is there";
    case Why::kStays:
      return "stays";
    case Why::kOwnZone:
      return "best fit in its zone";
    case Why::kOtherZone:
      return "best fit outside its zone";
    case Why::kNoRoom:
      return "fits nowhere, least overload there";
  }
  return "";
}

std::string Bytes(double bytes) {
  if (bytes >= 1e9) return absl::StrFormat("%.1f GB", bytes * 1e-9);
  return absl::StrFormat("%.1f MB", bytes * 1e-6);
}

// "1 leaf", "3 leaves (2 warm, 1 to start)", "2 leaves (4 wanted, no more cores)".
std::string Leaves(const NodePlan& node) {
  std::size_t cold = 0;
  for (const Assignment& a : node.workers) cold += a.role == Role::kLeaf && a.worker.empty() ? 1 : 0;
  std::vector<std::string> notes;
  if (cold < node.leaves) notes.push_back(absl::StrCat(node.leaves - cold, " warm"));
  if (cold > 0) notes.push_back(absl::StrCat(cold, " to start"));
  if (node.leaves < node.leaves_wanted) notes.push_back(absl::StrCat(node.leaves_wanted, " wanted, no more cores"));
  return absl::StrCat(node.leaves, node.leaves == 1 ? " leaf (" : " leaves (", absl::StrJoin(notes, ", "), ")");
}

void AppendUpper(const NodePlan& node, std::vector<std::string>& parts) {
  for (const Assignment& a : node.workers) {
    if (a.role != Role::kTop && a.role != Role::kRoot) continue;
    parts.push_back(absl::StrCat(NameOf(a.role), " ", a.worker.empty() ? "to start" : a.worker));
  }
}

void AppendWorkers(absl::string_view label, const std::vector<std::string>& ids, std::vector<std::string>& parts) {
  if (!ids.empty()) parts.push_back(absl::StrCat(label, " ", absl::StrJoin(ids, ", ")));
}

std::vector<std::string> IdsIn(const NodePlan& node, Role role) {
  std::vector<std::string> ids;
  for (const Assignment& a : node.workers) {
    if (a.role == role) ids.push_back(a.worker);
  }
  return ids;
}

}  // namespace

absl::string_view NameOf(Role role) {
  switch (role) {
    case Role::kIdle:
      return "idle";
    case Role::kLeaf:
      return "leaf";
    case Role::kTop:
      return "top";
    case Role::kRoot:
      return "root";
    case Role::kDraining:
      return "draining";
  }
  return "";
}

std::string Explain(const NodePlan& node) {
  if (!node.alive) return absl::StrCat("node ", node.node, ": lost");
  std::vector<std::string> parts;
  if (node.clients == 0) {
    parts.push_back(absl::StrCat("node ", node.node, ": no clients"));
  } else {
    parts.push_back(absl::StrFormat("node %s: Q = %.1f of %.1f%s, %d client%s", node.node, node.load, node.capacity,
                                    node.overloaded() ? " (overloaded)" : "", node.clients,
                                    node.clients == 1 ? "" : "s"));
    parts.push_back(Leaves(node));
  }
  AppendUpper(node, parts);
  AppendWorkers("idle", IdsIn(node, Role::kIdle), parts);
  AppendWorkers("draining", IdsIn(node, Role::kDraining), parts);
  AppendWorkers("stops", node.stop, parts);
  return absl::StrJoin(parts, "; ");
}

std::string Explain(const Placement& placement) {
  const bool came = placement.moved() && !placement.from.empty();
  return absl::StrCat("client ", placement.client, ": ", came ? placement.from + " -> " : "", placement.node, ", ",
                      NameOf(placement.why));
}

std::string ExplainRoot(const Plan& plan) {
  const NodePlan* root = plan.Find(plan.root);
  if (root == nullptr) return "root: none, no client";
  double total = 0;
  for (const NodePlan& node : plan.nodes) total += node.bytes_per_second;
  const double share = total > 0 ? 100 * root->bytes_per_second / total : 0;
  return absl::StrFormat("root: %s, %.0f %% of %s/s arrive there", plan.root, share, Bytes(total));
}

}  // namespace cairn::planner
