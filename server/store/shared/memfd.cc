#include "server/store/shared/memfd.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/map_apart.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

std::string PathOf(int fd) { return absl::StrCat("/proc/self/fd/", fd); }

absl::Status AddSeals(int fd, int seals) {
  if (::fcntl(fd, F_ADD_SEALS, seals) == 0) return absl::OkStatus();
  return ErrnoStatus(errno, "seal", "shared memory");
}

}  // namespace

absl::StatusOr<Mapping> Mapping::Map(int fd, std::uint64_t bytes, Access access) {
  const int protection = access == Access::kRead ? PROT_READ : PROT_READ | PROT_WRITE;
  void* data = MapApart(bytes, protection, MAP_SHARED, fd);
  if (data == MAP_FAILED) return ErrnoStatus(errno, absl::StrCat("map ", bytes, " bytes of"), "shared memory");
  Mapping mapping;
  mapping.data_ = static_cast<char*>(data);
  mapping.bytes_ = bytes;
  return mapping;
}

Mapping& Mapping::operator=(Mapping&& other) noexcept {
  if (this != &other) {
    Reset();
    data_ = std::exchange(other.data_, nullptr);
    bytes_ = std::exchange(other.bytes_, 0);
  }
  return *this;
}

void Mapping::Reset() {
  if (data_ != nullptr) ::munmap(data_, bytes_);
  data_ = nullptr;
  bytes_ = 0;
}

void Mapping::Prefault(Access access, std::uint64_t first, std::uint64_t bytes) const {
  // A hint: pages that it leaves out come when they are touched.
  ::madvise(data_ + first, bytes, access == Access::kRead ? MADV_POPULATE_READ : MADV_POPULATE_WRITE);
}

absl::StatusOr<UniqueFd> CreateMemfd(const char* name, std::uint64_t bytes) {
  UniqueFd fd(::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd) return ErrnoStatus(errno, "memfd_create", name);
  if (::ftruncate(fd.get(), static_cast<off_t>(bytes)) != 0) return ErrnoStatus(errno, "ftruncate", name);
  return fd;
}

absl::Status AllocatePages(int fd, std::uint64_t first, std::uint64_t bytes) {
  int result;
  do {
    result = ::fallocate(fd, 0, static_cast<off_t>(first), static_cast<off_t>(bytes));
  } while (result != 0 && errno == EINTR);
  if (result == 0) return absl::OkStatus();
  return ErrnoStatus(errno, absl::StrCat("allocate ", bytes, " bytes of"), "shared memory");
}

absl::Status SealSize(int fd) { return AddSeals(fd, F_SEAL_SHRINK | F_SEAL_GROW); }

absl::Status SealAgainstNewWriters(int fd) {
  return AddSeals(fd, F_SEAL_FUTURE_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
}

absl::StatusOr<UniqueFd> Duplicate(int fd) {
  UniqueFd copy(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
  if (!copy) return ErrnoStatus(errno, "duplicate a descriptor of", "shared memory");
  return copy;
}

absl::StatusOr<UniqueFd> ReopenReadOnly(int fd) {
  const std::string path = PathOf(fd);
  UniqueFd read_only(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!read_only) return ErrnoStatus(errno, "reopen", path);
  return read_only;
}

}  // namespace cairn
