// What the root asks a node to combine of a round, as messages and back.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/cairn/v1/node.pb.h"
#include "server/root/publish.h"
#include "server/tree/shard_split.h"

namespace cairn {

// Some modules of the job, whose contributions lie at `addresses` (by node; "": with the root). In pieces that each fit
// into a message. RESOURCE_EXHAUSTED: the names of the modules alone do not.
absl::StatusOr<std::vector<v1::RootNotice>> ShardOrdersOf(std::uint64_t fetch, const PublishJob& job,
                                                          const std::map<std::string, std::string>& addresses,
                                                          const tree::ModuleShare& share);

// Adds a piece to those before it, or begins anew. Whether it was the last.
bool JoinShardOrder(const v1::ShardOrder& piece, v1::ShardOrder& order);

// At the node.
struct OrderedShard {
  PublishJob job;                                // No contribution has a payload: receipts have the node.
  std::map<std::string, std::string> addresses;  // By node.
  tree::ModuleShare share;
};
// DATA_LOSS, INVALID_ARGUMENT: no order.
absl::StatusOr<OrderedShard> OrderedBy(const v1::ShardOrder& order);

}  // namespace cairn
