// Brings updates of a round that lie at nodes to the root, where they are combined unless their sum is enough.
#pragma once

#include "absl/status/status.h"
#include "server/root/nodes.h"
#include "server/root/publish.h"
#include "server/store/store.h"

namespace cairn {

// Finds a payload for every contribution that has none yet. Blocks. UNAVAILABLE: a node is away. INVALID_ARGUMENT, with
// BlamedClient (aggregators/blame.h): the node does not have the update, or has other bytes. What was fetched before an
// error is in `store`, for the next attempt.
absl::Status Gather(PublishJob& job, Store* store, Nodes* nodes);

}  // namespace cairn
