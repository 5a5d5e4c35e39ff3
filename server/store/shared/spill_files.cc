#include "server/store/shared/spill_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "base/limits.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

namespace fs = std::filesystem;

constexpr absl::string_view kSuffix = ".object";

// Linux caches what one write brings in pieces of up to 2 MiB, and touching a byte of a mapping maps its whole piece:
// over many spilled updates of which a round reads one module at a time, that is more memory than the modules.
constexpr std::size_t kWriteBytes = 64 * limits::kKiB;

absl::Status WriteNew(const fs::path& path, absl::string_view bytes) {
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) return ErrnoStatus(errno, "create", path);
  for (; !bytes.empty(); bytes.remove_prefix(std::min(bytes.size(), kWriteBytes))) {
    CAIRN_RETURN_IF_ERROR(WriteAll(fd.get(), bytes.substr(0, kWriteBytes), path));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckFileBytes(int fd, const ObjectKey& key, std::uint64_t bytes) {
  struct stat info;
  if (::fstat(fd, &info) != 0) return ErrnoStatus(errno, "stat", key.ToHex());
  if (static_cast<std::uint64_t>(info.st_size) == bytes) return absl::OkStatus();
  return absl::DataLossError(
      absl::StrCat("spilled object ", key.ToHex(), ": expected a file of ", bytes, " bytes, got ", info.st_size));
}

absl::StatusOr<SpillFiles> SpillFiles::Open(fs::path directory) {
  std::error_code error;
  fs::create_directories(directory, error);
  if (error) return ErrnoStatus(error.value(), "create directory", directory);
  // Only what this class wrote: the directory may have been named by mistake.
  CAIRN_ASSIGN_OR_RETURN(const std::vector<fs::path> entries, ListDirectory(directory));
  for (const fs::path& entry : entries) {
    if (absl::EndsWith(entry.native(), kSuffix)) ::unlink(entry.c_str());
  }
  SpillFiles files;
  files.directory_ = std::move(directory);
  return files;
}

fs::path SpillFiles::PathOf(const ObjectKey& key) const { return directory_ / absl::StrCat(key.ToHex(), kSuffix); }

absl::Status SpillFiles::Write(const ObjectKey& key, absl::string_view bytes) const {
  const fs::path path = PathOf(key);
  absl::Status status = WriteNew(path, bytes);
  if (!status.ok()) ::unlink(path.c_str());
  return status;
}

absl::StatusOr<UniqueFd> SpillFiles::OpenForReading(const ObjectKey& key, std::uint64_t bytes) const {
  const fs::path path = PathOf(key);
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd) return ErrnoStatus(errno, "open", path);
  CAIRN_RETURN_IF_ERROR(CheckFileBytes(fd.get(), key, bytes));
  return fd;
}

void SpillFiles::Remove(const ObjectKey& key) const { ::unlink(PathOf(key).c_str()); }

}  // namespace cairn
