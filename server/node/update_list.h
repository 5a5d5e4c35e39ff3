// Updates of a round, as the root names them to nodes.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proto/cairn/v1/node.pb.h"
#include "server/root/publish.h"
#include "server/store/store.h"

namespace cairn {

// The job's contributions, in pieces that each fit into a message. At least one. `places`: the number of each node
// that is named with its updates; of those that have a payload, "". May be empty.
std::vector<v1::UpdateList> ListUpdates(std::uint64_t fetch, const PublishJob& job,
                                        const std::map<std::string, std::uint32_t>& places = {});

// Adds a piece to those before it, or begins anew. Whether it was the last.
bool JoinPiece(const v1::UpdateList& piece, v1::UpdateList& list);

// At the node: a job of these contributions, without payloads. DATA_LOSS: no list.
absl::StatusOr<PublishJob> JobOf(const v1::UpdateList& list);

// Finds the payloads of contributions at this node. INVALID_ARGUMENT, with BlamedClient: the node has lost it.
absl::Status FindPayload(const std::string& node, Store& store, Contribution& contribution);

}  // namespace cairn
