// Modules onto nodes, for rules that look at all factors of a module at once (Locality::kShardLocal): longest
// processing time first, by bytes. A pure function.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cairn::planner {

struct Module {
  std::string name;
  std::uint64_t bytes = 0;  // Of all clients' updates together.
  std::string node;         // Where its shard is now; empty: nowhere.
};

struct ShardNode {
  std::string id;
  double speed = 1;  // > 0, relative to the others: how many of these modules' bytes it combines in the same time.
  bool alive = true;
};

struct ShardInput {
  std::vector<Module> modules;
  std::vector<ShardNode> nodes;
  // Between rounds, when no bytes are at their shard yet: modules also move off the busiest nodes, to one that has
  // joined, say. Within a round only those of lost nodes do.
  bool rebalance = false;
  double tolerance = 0.1;  // Differences up to this share move nothing.
};

struct ShardPlacement {
  std::string module;
  std::string node;
  std::string from;  // Where it was; empty: nowhere.
};

struct ShardLoad {
  std::string node;
  bool alive = true;
  std::size_t modules = 0;
  std::uint64_t bytes = 0;
};

struct ShardPlan {
  std::vector<ShardPlacement> modules;  // Ascending by name.
  std::vector<ShardLoad> nodes;         // Ascending by id.
};

// The same input in any order gives the same plan. Errors as of MakePlan; without bounds on the counts.
absl::StatusOr<ShardPlan> PlanShards(const ShardInput& input);

std::string Explain(const ShardLoad& node);  // "node n3: 12 modules, 96.0 MB"

}  // namespace cairn::planner
