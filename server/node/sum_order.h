// What the root asks a node to add up, as messages and back.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/cairn/v1/node.pb.h"
#include "server/root/publish.h"
#include "server/store/store.h"

namespace cairn {

// Of the job's contributions, in pieces that each fit into a message. At least one.
std::vector<v1::RootNotice> SumOrdersOf(std::uint64_t fetch, const PublishJob& job);

// Adds a piece to those before it, or begins anew. Whether it was the last.
bool JoinSumOrder(const v1::SumOrder& piece, v1::SumOrder& order);

// At the node. INVALID_ARGUMENT, with BlamedClient: the node has lost one of the updates. DATA_LOSS: no order.
absl::StatusOr<PublishJob> JobOf(const v1::SumOrder& order, const std::string& node, Store& store);

}  // namespace cairn
