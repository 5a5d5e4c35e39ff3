// A round that is combined by several workers of a node: what the dispatcher makes of the publisher's job, and what a
// worker makes of that.
#pragma once

#include <functional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "aggregators/shard.h"
#include "proto/cairn/v1/tree.pb.h"
#include "server/root/publish.h"
#include "server/tree/node_objects.h"

namespace cairn::tree {

// Gives each of `size` workers its modules and tensors: of `share`, or of all if that is null. Errors as ShareModules.
absl::StatusOr<std::vector<v1::ShardTask>> SplitJob(const PublishJob& job, std::size_t size, const Shard* share);

// Brings numbers of all workers of the node together with those of the other nodes, in place.
using ReduceFurther = std::function<absl::Status(absl::Span<std::int64_t> values, bool greatest)>;

// In a worker. UNAVAILABLE: another worker of the round was lost, or another node. `further`: of tasks that ask for it.
absl::StatusOr<v1::ShardMade> RunShard(NodeObjects& objects, const v1::ShardTask& task, const ReduceFurther& further);

}  // namespace cairn::tree
