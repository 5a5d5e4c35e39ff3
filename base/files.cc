#include "base/files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <system_error>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/map_apart.h"
#include "base/paths.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

namespace fs = std::filesystem;

absl::StatusCode CodeOf(int error) {
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      return absl::StatusCode::kNotFound;
    case EACCES:
    case EPERM:
    case EROFS:
      return absl::StatusCode::kPermissionDenied;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
      return absl::StatusCode::kResourceExhausted;
    default:
      return absl::StatusCode::kUnknown;
  }
}

absl::StatusOr<UniqueFd> Open(const fs::path& path, int flags, absl::string_view what) {
  int fd = -1;
  do {
    fd = ::open(path.c_str(), flags | O_CLOEXEC, 0644);
  } while (fd < 0 && errno == EINTR);
  if (fd < 0) return ErrnoStatus(errno, what, path);
  return UniqueFd(fd);
}

// An open regular file. Directories, pipes and devices have no contents to read; a pipe must not even be waited for.
struct RegularFile {
  UniqueFd fd;
  std::size_t size = 0;
};
absl::StatusOr<RegularFile> OpenRegularFile(const fs::path& path) {
  RegularFile file;
  CAIRN_ASSIGN_OR_RETURN(file.fd, Open(path, O_RDONLY | O_NONBLOCK, "open"));
  struct stat info;
  if (::fstat(file.fd.get(), &info) != 0) return ErrnoStatus(errno, "stat", path);
  if (!S_ISREG(info.st_mode)) return absl::NotFoundError(absl::StrCat("read ", path.native(), ": not a regular file"));
  file.size = static_cast<std::size_t>(info.st_size);
  return file;
}

// Reads until the end of the file or until more than `bytes_max` came, whatever fstat said about the size.
absl::StatusOr<std::string> ReadUpTo(const UniqueFd& fd, std::size_t size, std::size_t bytes_max,
                                     const fs::path& path) {
  std::string data(std::min(size, bytes_max) + 1, '\0');
  std::size_t filled = 0;
  for (;;) {
    if (filled == data.size()) data.resize(std::min(2 * data.size(), bytes_max + 1));
    const ssize_t got = ::read(fd.get(), data.data() + filled, data.size() - filled);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return ErrnoStatus(errno, "read", path);
    filled += static_cast<std::size_t>(got);
    if (filled > bytes_max) {
      return absl::OutOfRangeError(absl::StrCat("read ", path.native(), ": expected at most ", bytes_max, " bytes"));
    }
    if (got == 0) break;
  }
  data.resize(filled);
  return data;
}

absl::Status Sync(const fs::path& path, int flags) {
  CAIRN_ASSIGN_OR_RETURN(const UniqueFd fd, Open(path, flags, "open"));
  if (::fsync(fd.get()) != 0) return ErrnoStatus(errno, "fsync", path);
  return absl::OkStatus();
}

// Beside the target, so that rename stays inside one file system. Unique among live processes; one left by a dead
// process is overwritten.
fs::path TemporaryFor(const fs::path& path) {
  static std::atomic<std::uint64_t> counter{0};
  return ParentOf(path) / absl::StrCat(".", path.filename().native(), ".", ::getpid(), ".", counter++, ".tmp");
}

absl::Status WriteDurably(const fs::path& path, absl::string_view data) {
  CAIRN_ASSIGN_OR_RETURN(const UniqueFd fd, Open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, "create"));
  CAIRN_RETURN_IF_ERROR(WriteAll(fd.get(), data, path));
  if (::fsync(fd.get()) != 0) return ErrnoStatus(errno, "fsync", path);
  return absl::OkStatus();
}

}  // namespace

UniqueFd& UniqueFd::operator=(UniqueFd&& other) noexcept {
  if (this != &other) {
    Reset();
    fd_ = other.Release();
  }
  return *this;
}

int UniqueFd::Release() { return std::exchange(fd_, -1); }

void UniqueFd::Reset() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

absl::Status ErrnoStatus(int error, absl::string_view what, const fs::path& path) {
  return absl::Status(CodeOf(error),
                      absl::StrCat(what, " ", path.native(), ": ", std::generic_category().message(error)));
}

absl::StatusOr<std::string> ReadFile(const fs::path& path, std::size_t bytes_max) {
  CAIRN_ASSIGN_OR_RETURN(const RegularFile file, OpenRegularFile(path));
  return ReadUpTo(file.fd, file.size, bytes_max, path);
}

absl::Status WriteAll(int fd, absl::string_view data, const fs::path& path) {
  while (!data.empty()) {
    const ssize_t wrote = ::write(fd, data.data(), data.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return ErrnoStatus(errno, "write", path);
    data.remove_prefix(static_cast<std::size_t>(wrote));
  }
  return absl::OkStatus();
}

absl::Status WriteFileAtomically(const fs::path& path, absl::string_view data) {
  const fs::path temporary = TemporaryFor(path);
  absl::Status status = WriteDurably(temporary, data);
  if (status.ok() && ::rename(temporary.c_str(), path.c_str()) != 0) status = ErrnoStatus(errno, "rename to", path);
  if (!status.ok()) {
    ::unlink(temporary.c_str());
    return status;
  }
  return SyncDirectory(ParentOf(path));
}

absl::Status SyncDirectory(const fs::path& path) { return Sync(path, O_RDONLY | O_DIRECTORY); }
absl::Status SyncFile(const fs::path& path) { return Sync(path, O_RDONLY); }

absl::StatusOr<std::vector<fs::path>> ListDirectory(const fs::path& path) {
  std::vector<fs::path> entries;
  std::error_code error;
  for (fs::directory_iterator it(path, error), end; !error && it != end; it.increment(error)) {
    entries.push_back(it->path());
  }
  if (error && error != std::errc::no_such_file_or_directory) return ErrnoStatus(error.value(), "read", path);
  return entries;
}

absl::StatusOr<MappedFile> MappedFile::Open(const fs::path& path) {
  CAIRN_ASSIGN_OR_RETURN(const RegularFile regular, OpenRegularFile(path));
  const std::size_t size = regular.size;
  MappedFile file;
  if (size == 0) return file;  // mmap refuses length zero.
  void* data = MapApart(size, PROT_READ, MAP_SHARED, regular.fd.get());
  if (data == MAP_FAILED) return ErrnoStatus(errno, "mmap", path);
  file.data_ = static_cast<const char*>(data);
  file.size_ = size;
  return file;
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

void MappedFile::DropPages() const {
  if (data_ != nullptr) ::madvise(const_cast<char*>(data_), size_, MADV_DONTNEED);
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<char*>(data_), size_);
}

absl::StatusOr<FileLock> FileLock::Acquire(const fs::path& path) {
  CAIRN_ASSIGN_OR_RETURN(UniqueFd fd, Open(path, O_RDWR | O_CREAT, "open"));
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return ErrnoStatus(errno, "lock", path);
    const absl::StatusOr<std::string> holder = ReadFile(path, 64);
    return absl::UnavailableError(absl::StrCat("lock ", path.native(), ": held by process ",
                                               holder.ok() ? absl::StripAsciiWhitespace(*holder) : "unknown"));
  }
  if (::ftruncate(fd.get(), 0) != 0) return ErrnoStatus(errno, "truncate", path);
  CAIRN_RETURN_IF_ERROR(WriteAll(fd.get(), absl::StrCat(::getpid(), "\n"), path));
  return FileLock(std::move(fd));
}

}  // namespace cairn
