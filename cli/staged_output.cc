#include "cli/staged_output.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/files.h"
#include "base/paths.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

namespace fs = std::filesystem;

constexpr char kContent[] = "content";  // What becomes the target.
constexpr char kMarker[] = ".cairn-partial";
constexpr int kNamesTried = 1000;

std::string PrefixFor(const fs::path& target) { return absl::StrCat(".", target.filename().native(), ".partial-"); }

bool IsNameFor(const fs::path& target, absl::string_view name) {
  return absl::ConsumePrefix(&name, PrefixFor(target)) && !name.empty() &&
         std::all_of(name.begin(), name.end(), [](char c) { return absl::ascii_isdigit(c); });
}

bool IsAt(int fd, const fs::path& path) {
  struct stat open = {}, there = {};
  return ::fstat(fd, &open) == 0 && ::lstat(path.c_str(), &there) == 0 && open.st_dev == there.st_dev &&
         open.st_ino == there.st_ino;
}

// The lock of the directory that is there now; none when somebody holds it. On a file system without locks: as
// `without` says.
UniqueFd TryLock(const fs::path& directory, bool without) {
  UniqueFd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) return fd;
  const bool locked = ::flock(fd.get(), LOCK_EX | LOCK_NB) == 0 || (errno != EWOULDBLOCK && without);
  if (!locked || !IsAt(fd.get(), directory)) fd.Reset();
  return fd;
}

// Whoever wrote it holds the lock as long as it lives. Without the marker it is not ours, or not yet.
void RemoveAbandoned(const fs::path& target) {
  const absl::StatusOr<std::vector<fs::path>> entries = ListDirectory(ParentOf(target));
  if (!entries.ok()) return;
  for (const fs::path& entry : *entries) {
    if (!IsNameFor(target, entry.filename().native())) continue;
    std::error_code ignored;
    const UniqueFd lock = TryLock(entry, false);
    if (lock && fs::is_regular_file(fs::symlink_status(entry / kMarker, ignored))) fs::remove_all(entry, ignored);
  }
}

absl::Status RefuseExisting(const fs::path& target) {
  std::error_code error;
  if (!fs::exists(fs::symlink_status(target, error))) return absl::OkStatus();
  return absl::AlreadyExistsError(absl::StrCat(target.native(), " already exists; remove it, or name another output"));
}

absl::Status RenameToNew(const fs::path& from, const fs::path& to) {
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return absl::OkStatus();
  if (errno != EEXIST && errno != EINVAL && errno != ENOSYS) return ErrnoStatus(errno, "rename to", to);
  CAIRN_RETURN_IF_ERROR(RefuseExisting(to));  // Some network file systems do not know the flag.
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

// A directory of a new name, locked. Another run may look at it before it is locked: then the next name is taken.
absl::Status StagedOutput::MakeDirectory() {
  const auto first = static_cast<std::int64_t>(::getpid());
  for (std::int64_t n = first; n < first + kNamesTried; ++n) {
    const fs::path path = ParentOf(target_) / absl::StrCat(PrefixFor(target_), n);
    if (::mkdir(path.c_str(), 0777) != 0) {
      if (errno == EEXIST) continue;
      return ErrnoStatus(errno, "create", target_);
    }
    lock_ = TryLock(path, true);
    if (lock_) {
      temporary_ = path;
      return absl::OkStatus();
    }
    ::rmdir(path.c_str());
  }
  return absl::UnknownError(absl::StrCat("create ", target_.native(), ": no folder beside it can be locked"));
}

absl::StatusOr<StagedOutput> StagedOutput::Create(const fs::path& target) {
  StagedOutput output;
  output.target_ = target.has_filename() ? target : target.parent_path();  // "merged/" is "merged".
  CAIRN_RETURN_IF_ERROR(RefuseExisting(output.target_));
  RemoveAbandoned(output.target_);
  CAIRN_RETURN_IF_ERROR(output.MakeDirectory());
  const UniqueFd marker(::open((output.temporary_ / kMarker).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
  output.directory_ = output.temporary_ / kContent;
  if (!marker || ::mkdir(output.directory_.c_str(), 0777) != 0) return ErrnoStatus(errno, "create", output.target_);
  return output;
}

StagedOutput::~StagedOutput() {
  std::error_code ignored;
  if (!temporary_.empty()) fs::remove_all(temporary_, ignored);
}

absl::Status StagedOutput::Commit(const fs::path& only) && {
  CAIRN_RETURN_IF_ERROR(SyncTree(directory_));
  CAIRN_RETURN_IF_ERROR(RenameToNew(only.empty() ? directory_ : directory_ / only, target_));
  return SyncDirectory(ParentOf(target_));
}

}  // namespace cairn
