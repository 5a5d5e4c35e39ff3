#include "client/sdk/directory_swap.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <string>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "adapter/directory.h"
#include "base/files.h"
#include "base/status_macros.h"

namespace cairn::sdk {
namespace {

namespace fs = std::filesystem;

constexpr mode_t kDirectoryMode = 0755;  // mkdtemp's own 0700 would lock out whoever else reads the adapter.

// Absolute, without a trailing slash: "adapters/" has no file name of its own.
fs::path WithFileName(const fs::path& target) {
  const fs::path normal = fs::absolute(target).lexically_normal();
  return normal.has_filename() ? normal : normal.parent_path();
}

absl::Status CheckReplaceable(const fs::path& target) {
  std::error_code error;
  const fs::file_status status = fs::symlink_status(target, error);
  if (status.type() == fs::file_type::not_found) return absl::OkStatus();
  if (!fs::is_directory(status)) {
    return absl::FailedPreconditionError(absl::StrCat(target.string(), ": exists and is not a directory"));
  }
  const bool empty = fs::is_empty(target, error);
  if (error) return ErrnoStatus(error.value(), "list", target);
  if (!empty && !fs::exists(target / kAdapterConfigFile, error)) {
    return absl::FailedPreconditionError(
        absl::StrCat(target.string(), ": holds files but no ", kAdapterConfigFile, "; it will not be replaced"));
  }
  return absl::OkStatus();
}

// Old and new change places in one step, so that a reader never finds nothing. A file system without that operation
// gets the old one moved aside first.
absl::Status Exchange(const fs::path& staging, const fs::path& target) {
  if (renameat2(AT_FDCWD, staging.c_str(), AT_FDCWD, target.c_str(), RENAME_EXCHANGE) == 0) return absl::OkStatus();
  if (errno != EINVAL && errno != ENOSYS) return ErrnoStatus(errno, "replace", target);
  const fs::path aside = staging.string() + ".old";
  if (rename(target.c_str(), aside.c_str()) != 0) return ErrnoStatus(errno, "move aside", target);
  if (rename(staging.c_str(), target.c_str()) != 0) {
    const int error = errno;
    (void)rename(aside.c_str(), target.c_str());
    return ErrnoStatus(error, "replace", target);
  }
  if (rename(aside.c_str(), staging.c_str()) != 0) return ErrnoStatus(errno, "tidy up", aside);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<DirectorySwap> DirectorySwap::Begin(const fs::path& directory) {
  if (directory.empty()) return absl::InvalidArgumentError("directory: empty path");
  const fs::path target = WithFileName(directory);
  CAIRN_RETURN_IF_ERROR(CheckReplaceable(target));
  std::error_code error;
  fs::create_directories(target.parent_path(), error);
  if (error) return ErrnoStatus(error.value(), "create", target.parent_path());
  std::string staging = (target.parent_path() / absl::StrCat(".", target.filename().string(), ".XXXXXX")).string();
  if (mkdtemp(staging.data()) == nullptr) return ErrnoStatus(errno, "create", staging);
  DirectorySwap swap(target, staging);
  if (chmod(staging.c_str(), kDirectoryMode) != 0) return ErrnoStatus(errno, "set mode of", staging);
  return swap;
}

DirectorySwap::DirectorySwap(fs::path target, fs::path staging)
    : target_(std::move(target)), staging_(std::move(staging)) {}

DirectorySwap::DirectorySwap(DirectorySwap&& other) noexcept
    : target_(std::move(other.target_)), staging_(std::exchange(other.staging_, {})) {}

DirectorySwap::~DirectorySwap() {
  std::error_code ignored;  // Debris is a nuisance, not an error of the download.
  if (!staging_.empty()) fs::remove_all(staging_, ignored);
}

absl::Status DirectorySwap::Commit() {
  CAIRN_RETURN_IF_ERROR(SyncDirectory(staging_));
  std::error_code error;
  if (fs::exists(target_, error)) {
    CAIRN_RETURN_IF_ERROR(Exchange(staging_, target_));
  } else {
    if (rename(staging_.c_str(), target_.c_str()) != 0) return ErrnoStatus(errno, "create", target_);
    staging_.clear();
  }
  return SyncDirectory(target_.parent_path());
}

}  // namespace cairn::sdk
