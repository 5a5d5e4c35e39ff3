#include "server/store/make_directories.h"

#include <system_error>

#include "base/files.h"
#include "base/status_macros.h"

namespace cairn {

absl::Status MakeDirectories(const std::filesystem::path& path) {
  std::error_code error;
  if (path.empty() || std::filesystem::is_directory(path, error)) return absl::OkStatus();
  CAIRN_RETURN_IF_ERROR(MakeDirectories(path.parent_path()));
  std::filesystem::create_directory(path, error);
  if (error) return ErrnoStatus(error.value(), "create directory", path);
  return SyncDirectory(path.has_parent_path() ? path.parent_path() : ".");
}

}  // namespace cairn
