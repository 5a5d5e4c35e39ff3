// Directories that survive: a synced file is lost with the entry of a directory that was not.
#pragma once

#include <filesystem>

#include "absl/status/status.h"

namespace cairn {

// Creates what is missing of `path`; durable when the call returns. Errors as base/files.h.
absl::Status MakeDirectories(const std::filesystem::path& path);

}  // namespace cairn
