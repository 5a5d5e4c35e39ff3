// A round that is combined by several workers: what the dispatcher writes down of the publisher's job, and what a
// worker makes of it.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "proto/cairn/v1/tree.pb.h"
#include "server/root/publish.h"
#include "server/root/shards.h"
#include "server/tree/node_objects.h"

namespace cairn::tree {

// The job without what tells one worker from another.
v1::ShardTask DescribeJob(const PublishJob& job);
// Gives each of `size` workers its modules and tensors, as evenly as they can be. INVALID_ARGUMENT, with the client:
// an update that cannot be read.
absl::StatusOr<std::vector<v1::ShardTask>> SplitJob(const PublishJob& job, std::size_t size);

// In a worker. UNAVAILABLE: another worker of the round was lost.
absl::StatusOr<v1::ShardMade> RunShard(NodeObjects& objects, const v1::ShardTask& task);
absl::StatusOr<ShardPart> PartOf(const v1::ShardMade& made, const PublishJob& job);

}  // namespace cairn::tree
