// Which of a round's modules each of several processes combines.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "aggregators/shard.h"
#include "server/root/publish.h"

namespace cairn::tree {

struct ModuleShare {
  std::set<std::string, std::less<>> modules, tensors;  // By name.
};

// One share for each process, as evenly as they can be by bytes of all updates together. `speeds`: planner::ShardNode.
// `within`: only what is this shard's own. What earlier rounds left must be below the job's directory.
// INVALID_ARGUMENT, with the client: an update that is none. DATA_LOSS: a file became shorter, or cannot be read.
absl::StatusOr<std::vector<ModuleShare>> ShareModules(const PublishJob& job, absl::Span<const double> speeds,
                                                      const Shard* within = nullptr);

}  // namespace cairn::tree
