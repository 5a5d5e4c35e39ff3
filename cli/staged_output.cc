#include "cli/staged_output.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

namespace fs = std::filesystem;

fs::path ParentOf(const fs::path& path) { return path.has_parent_path() ? path.parent_path() : fs::path("."); }

std::string PrefixFor(const fs::path& target) { return absl::StrCat(".", target.filename().native(), ".partial-"); }

// The directory's lock; none when somebody holds it.
UniqueFd TryLock(const fs::path& directory) {
  UniqueFd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd && ::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) fd.Reset();
  return fd;
}

// Whoever wrote it holds the lock as long as it lives.
void RemoveAbandoned(const fs::path& target) {
  std::error_code error;
  for (fs::directory_iterator it(ParentOf(target), error), end; !error && it != end; it.increment(error)) {
    if (!absl::StartsWith(it->path().filename().native(), PrefixFor(target))) continue;
    std::error_code ignored;
    if (const UniqueFd lock = TryLock(it->path())) fs::remove_all(it->path(), ignored);
  }
}

absl::Status RenameToNew(const fs::path& from, const fs::path& to) {
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return absl::OkStatus();
  if (errno == EEXIST) return absl::AlreadyExistsError(absl::StrCat(to.native(), " already exists"));
  if (errno != EINVAL && errno != ENOSYS) return ErrnoStatus(errno, "rename to", to);
  // Some network file systems do not know the flag.
  std::error_code error;
  if (fs::exists(fs::symlink_status(to, error))) {
    return absl::AlreadyExistsError(absl::StrCat(to.native(), " already exists"));
  }
  if (::rename(from.c_str(), to.c_str()) != 0) return ErrnoStatus(errno, "rename to", to);
  return absl::OkStatus();
}

absl::Status SyncTree(const fs::path& directory) {
  std::error_code error;
  for (fs::recursive_directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    if (it->is_directory(error)) CAIRN_RETURN_IF_ERROR(SyncDirectory(it->path()));
  }
  if (error) return ErrnoStatus(error.value(), "list", directory);
  return SyncDirectory(directory);
}

}  // namespace

absl::StatusOr<StagedOutput> StagedOutput::Create(const fs::path& target) {
  StagedOutput output;
  output.target_ = target.has_filename() ? target : target.parent_path();  // "merged/" is "merged".
  std::error_code error;
  if (fs::exists(fs::symlink_status(output.target_, error))) {
    return absl::AlreadyExistsError(
        absl::StrCat(output.target_.native(), " already exists; remove it, or name another output"));
  }
  RemoveAbandoned(output.target_);
  const fs::path temporary =
      ParentOf(output.target_) / absl::StrCat(PrefixFor(output.target_), static_cast<std::int64_t>(::getpid()));
  if (::mkdir(temporary.c_str(), 0777) != 0) return ErrnoStatus(errno, "create directory", temporary);
  output.temporary_ = temporary;
  output.lock_ = TryLock(temporary);
  return output;
}

StagedOutput::~StagedOutput() {
  std::error_code ignored;
  if (!temporary_.empty()) fs::remove_all(temporary_, ignored);
}

absl::Status StagedOutput::Commit(const fs::path& only) && {
  CAIRN_RETURN_IF_ERROR(SyncTree(temporary_));
  CAIRN_RETURN_IF_ERROR(RenameToNew(only.empty() ? temporary_ : temporary_ / only, target_));
  if (only.empty()) temporary_.clear();
  return SyncDirectory(ParentOf(target_));
}

}  // namespace cairn
