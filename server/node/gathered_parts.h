// Of a round's updates, wherever they lie, what one node needs to combine its own modules.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "adapter/lora.h"
#include "aggregators/shard.h"
#include "server/node/peers.h"
#include "server/root/publish.h"
#include "server/store/store.h"

namespace cairn {

// Where the values of the shard's modules and tensors lie in the update, ascending; what touches is one range.
// REQUIRES: `adapter` was parsed from `update`.
std::vector<ByteRange> OwnRanges(const Shard& own, const Adapter& adapter, absl::string_view update);

// Finds a payload for each of the job's contributions that has none. At this node, `self`, that is the update in
// `store`. Of others, at the root or at nodes whose peer addresses these are, it is a file in `directory`, which is
// made if it is missing: as long as the update, with its header and the values of the shard's modules and tensors, and
// elsewhere a hole that nobody reads. The files go with the job; no other job has files in `directory`. Blocks.
// INVALID_ARGUMENT, with BlamedClient (aggregators/blame.h): this node has lost that client's update, or has other
// bytes. ABORTED: another one has, or `wanted` is false. UNAVAILABLE: a node is away. Other errors as Peers::Read and
// base/files.h. Parts cannot be held against the sha256 of the whole: only frame by frame, in transit.
absl::Status GatherParts(PublishJob& job, const std::string& self, const std::map<std::string, std::string>& addresses,
                         const Shard& own, Peers& peers, Store& store, const std::filesystem::path& directory,
                         absl::FunctionRef<bool()> wanted);

}  // namespace cairn
