// Whose a data directory is: a gateway lets go of every update that its root knows nothing of, and a server of what it
// did not make. Neither may begin on the other's.
#pragma once

#include <filesystem>

#include "absl/status/status.h"
#include "server/options.h"

namespace cairn {

// Changes nothing. FAILED_PRECONDITION: the directory was made by the other one.
absl::Status CheckDirectoryRole(const std::filesystem::path& data_dir, Role role);

}  // namespace cairn
