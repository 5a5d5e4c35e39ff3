// Unix-domain sockets at a path: between processes of one machine.
#pragma once

#include <filesystem>

#include "absl/status/statusor.h"
#include "base/files.h"

namespace cairn {

// `type` as for socket(2), with its flags; SOCK_CLOEXEC is added. INVALID_ARGUMENT: the path is too long for an
// address. A socket file that is there is replaced: whoever listens knows that its owner has died.
absl::StatusOr<UniqueFd> ListenAt(const std::filesystem::path& path, int type);
// NOT_FOUND, UNAVAILABLE: nobody listens there.
absl::StatusOr<UniqueFd> ConnectTo(const std::filesystem::path& path, int type);

}  // namespace cairn
