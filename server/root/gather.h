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
std::string NameOf(const ReceiptRow& receipt);  // In the store: UpdateName.
// That a node, or the root if it is "", has not the update any more, or other bytes.
std::string WhatIsLost(const std::string& node, const std::string& client, const absl::Status& why);
// Such an update is its client's to send again: INVALID_ARGUMENT with BlamedClient (aggregators/blame.h).
absl::Status LostUpdate(const std::string& node, const std::string& client, const absl::Status& why);

// `status` with a note that what is to be fetched waited too long for room in the root's memory.
absl::Status NoRoom(absl::Status status);
bool IsNoRoom(const absl::Status& status);

// Brings what is at nodes to `store`, and then finds the payload of every contribution there. If there is anything to
// bring, payloads that were held are let go of first and found anew, those of a file that could not be read among them;
// after an error there is none. Blocks. UNAVAILABLE: a node is away. INVALID_ARGUMENT, with BlamedClients
// (aggregators/blame.h): nodes do not have these updates, or have other bytes. RESOURCE_EXHAUSTED, IsNoRoom: others
// have all memory. CANCELLED: the server is stopping. What was fetched before an error is in `store`, for the next
// attempt.
absl::Status Gather(PublishJob& job, Store* store, Nodes* nodes);

}  // namespace cairn
