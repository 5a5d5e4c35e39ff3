// Who a node is to the root: its name, and the data directory behind it, which holds the updates that it answers for.
#pragma once

#include <filesystem>
#include <string>

#include "absl/status/statusor.h"

namespace cairn {

struct NodeIdentity {
  std::string name;
  std::string directory;  // Random, made with the directory.
};

// Kept in <data_dir>/node. `name` empty: that of before, or one made now. FAILED_PRECONDITION: the directory is that of
// a node of another name, whose updates the root would wait for.
absl::StatusOr<NodeIdentity> LoadNodeIdentity(const std::filesystem::path& data_dir, const std::string& name);

}  // namespace cairn
