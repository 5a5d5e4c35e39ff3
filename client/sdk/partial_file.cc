#include "client/sdk/partial_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace cairn::sdk {

absl::StatusOr<PartialFile> PartialFile::Create(std::filesystem::path path) {
  UniqueFd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!fd) return ErrnoStatus(errno, "create", path);
  return PartialFile(std::move(path), std::move(fd));
}

absl::Status PartialFile::Append(absl::string_view bytes) {
  hash_.Update(bytes);
  while (!bytes.empty()) {
    const ssize_t written = write(fd_.get(), bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return ErrnoStatus(errno, "write", path_);
    bytes.remove_prefix(static_cast<std::size_t>(written));
    size_ += static_cast<std::uint64_t>(written);
  }
  return absl::OkStatus();
}

absl::Status PartialFile::Restart() {
  if (ftruncate(fd_.get(), 0) != 0 || lseek(fd_.get(), 0, SEEK_SET) < 0) return ErrnoStatus(errno, "truncate", path_);
  size_ = 0;
  hash_ = Sha256();
  return absl::OkStatus();
}

absl::StatusOr<std::string> PartialFile::Finish() {
  if (fsync(fd_.get()) != 0) return ErrnoStatus(errno, "sync", path_);
  return ToHex(hash_.Finish());
}

}  // namespace cairn::sdk
