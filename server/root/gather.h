// Brings updates of a round that lie at nodes to the root, where they are combined unless their sum is enough.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "server/root/nodes.h"
#include "server/root/publish.h"
#include "server/store/store.h"

namespace cairn {

// Of what a receipt is for.
UploadKey KeyOf(const ReceiptRow& receipt);
// That a node, or the root if it is "", has not the update any more, or other bytes.
std::string WhatIsLost(const std::string& node, const std::string& client, const absl::Status& why);
// Such an update is its client's to send again: INVALID_ARGUMENT with BlamedClient (aggregators/blame.h).
absl::Status LostUpdate(const std::string& node, const std::string& client, const absl::Status& why);

// Finds a payload for every contribution that has none yet. Blocks. UNAVAILABLE: a node is away. INVALID_ARGUMENT, with
// BlamedClients (aggregators/blame.h): nodes do not have these updates, or have other bytes. What was fetched before an
// error is in `store`, for the next attempt.
absl::Status Gather(PublishJob& job, Store* store, Nodes* nodes);

}  // namespace cairn
