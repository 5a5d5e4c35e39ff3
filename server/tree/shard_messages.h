// What processes that combine a round together are told, and what they say, as messages.
#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "proto/cairn/v1/tree.pb.h"
#include "server/root/publish.h"
#include "server/root/shards.h"

namespace cairn::tree {

// The job without its updates and its directory, and without what tells one process from another.
v1::ShardTask DescribeJob(const PublishJob& job);
// INVALID_ARGUMENT: no such form to publish.
absl::StatusOr<PublishJob> JobOf(const v1::ShardTask& task);

// Of a worker: the file is read and then removed here. PERMISSION_DENIED: it names another one than it was to write.
absl::Status CheckFile(const v1::ShardTask& task, const v1::ShardMade& made);

v1::ShardMade MadeOf(const ShardPart& part);
// INVALID_ARGUMENT: a layer of a later version, or modules and tensors that cannot be (CheckSpec).
absl::StatusOr<ShardPart> PartOf(const v1::ShardMade& made, const PublishJob& job);

}  // namespace cairn::tree
