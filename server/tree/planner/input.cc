#include "server/tree/planner/input.h"

#include <cmath>

#include "base/limits.h"
#include "base/status_macros.h"

namespace cairn::planner {
namespace {

// `least` itself is in range when `closed`.
absl::Status CheckNumber(absl::string_view what, absl::string_view id, absl::string_view field, double value,
                         double least, bool closed) {
  if (std::isfinite(value) && (closed ? value >= least : value > least)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("planner: ", what, " \"", id, "\": ", field, " is ", value,
                                                 ", expected a number ", closed ? ">= " : "> ", least));
}

absl::Status CheckNode(const Node& node) {
  CAIRN_RETURN_IF_ERROR(CheckNumber("node", node.id, "capacity", node.capacity, 0, false));
  CAIRN_RETURN_IF_ERROR(CheckNumber("node", node.id, "fold_seconds_per_byte", node.fold_seconds_per_byte, 0, false));
  CAIRN_RETURN_IF_ERROR(CheckNumber("node", node.id, "slowdown", node.slowdown, 1, true));
  CAIRN_RETURN_IF_ERROR(CheckNumber("node", node.id, "cores", node.cores, 1, true));
  return SortedById("worker", node.workers).status();
}

absl::Status CheckPolicy(const Policy& policy) {
  CAIRN_RETURN_IF_ERROR(CheckNumber("policy", "", "updates_per_leaf", policy.updates_per_leaf, 0, false));
  return CheckNumber("policy", "", "tolerance", policy.tolerance, 0, true);
}

absl::Status CheckCount(absl::string_view what, std::size_t count, std::size_t most) {
  if (count <= most) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat("planner: ", count, " ", what, ", expected at most ", most));
}

}  // namespace

absl::Status CheckInput(const Input& input) {
  CAIRN_RETURN_IF_ERROR(CheckCount("nodes", input.nodes.size(), limits::kTreeNodesMax));
  CAIRN_RETURN_IF_ERROR(CheckCount("clients", input.clients.size(), limits::kCohortClientsMax));
  CAIRN_RETURN_IF_ERROR(CheckPolicy(input.policy));
  for (const Node& node : input.nodes) CAIRN_RETURN_IF_ERROR(CheckNode(node));
  for (const Client& client : input.clients) {
    CAIRN_RETURN_IF_ERROR(CheckNumber("client", client.id, "updates_per_second", client.updates_per_second, 0, true));
  }
  const bool alive = std::any_of(input.nodes.begin(), input.nodes.end(), [](const Node& node) { return node.alive; });
  if (input.clients.empty() || alive) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("planner: ", input.clients.size(), " clients, and none of ", input.nodes.size(), " nodes is alive"));
}

}  // namespace cairn::planner
