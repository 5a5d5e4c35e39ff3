// A worker process of a node: folds updates that lie on the node into partial sums, and merges partial sums of others.
// It knows no rounds and no roles: what it is to do next comes over the dispatcher's socket.
#pragma once

#include <filesystem>

#include "absl/status/status.h"

namespace cairn::tree {

// Version of proto/cairn/v1/tree.proto.
inline constexpr std::uint32_t kTreeProtocol = 2;

// Works for the node in `directory` until the dispatcher goes: then OK. FAILED_PRECONDITION: this process was stopped
// for longer than its lease, and what it had is lost; run it again. UNAVAILABLE, NOT_FOUND: nobody serves there.
absl::Status RunWorker(const std::filesystem::path& directory);

}  // namespace cairn::tree
