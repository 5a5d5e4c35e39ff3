// Who a node is to the root: its name, and the data directory behind it, which holds the updates that it answers for.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "absl/status/statusor.h"

namespace cairn {

struct NodeIdentity {
  std::string name;
  std::string directory;  // Random, made with the directory.
  bool made = false;      // Now: it is not kept yet.
};

// That of before, in <data_dir>/node, or one made now. `name` empty: any. INVALID_ARGUMENT: `name` can be nobody's.
// FAILED_PRECONDITION: the directory is that of a node of another name, whose updates the root would wait for.
absl::StatusOr<NodeIdentity> LoadNodeIdentity(const std::filesystem::path& data_dir, const std::string& name);
// Once the node is going to attend: a start that failed before binds the directory to nothing.
absl::Status KeepNodeIdentity(const std::filesystem::path& data_dir, const NodeIdentity& identity);

// Random, not 0: tells this process from others that attend with the directory or a copy of it.
std::uint64_t NewProcessNumber();

}  // namespace cairn
