#include "server/directory_role.h"

#include <system_error>

#include "absl/strings/str_cat.h"

namespace cairn {
namespace {

namespace fs = std::filesystem;

// docs/formats/database.md. Of a server with workers `node` is a directory.
constexpr char kServersFile[] = "cairn.sqlite";
constexpr char kGatewaysFile[] = "node";

}  // namespace

absl::Status CheckDirectoryRole(const fs::path& data_dir, Role role) {
  std::error_code ignored;  // A directory that cannot be looked at cannot be locked, either.
  if (role == Role::kGateway && fs::exists(data_dir / kServersFile, ignored)) {
    return absl::FailedPreconditionError(absl::StrCat("data_dir ", data_dir.string(),
                                                      " is that of `cairn serve` (it has ", kServersFile,
                                                      "), whose updates a gateway would remove: use another data_dir"));
  }
  if (role != Role::kGateway && fs::is_regular_file(data_dir / kGatewaysFile, ignored)) {
    return absl::FailedPreconditionError(
        absl::StrCat("data_dir ", data_dir.string(), " is that of a `cairn gateway` (the file ", kGatewaysFile,
                     " says of which node), whose updates a server would remove: use another data_dir"));
  }
  return absl::OkStatus();
}

}  // namespace cairn
