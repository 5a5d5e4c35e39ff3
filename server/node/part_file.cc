#include "server/node/part_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/status_macros.h"

namespace cairn {

absl::StatusOr<std::shared_ptr<PartFile>> PartFile::Create(const std::filesystem::path& path, std::uint64_t bytes) {
  unlink(path.c_str());  // Whoever has it mapped keeps it.
  UniqueFd file(open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file) return ErrnoStatus(errno, "create", path);
  const std::shared_ptr<PartFile> part(new PartFile(path, std::move(file)));
  if (ftruncate(part->file_.get(), static_cast<off_t>(bytes)) != 0) return ErrnoStatus(errno, "lengthen", path);
  CAIRN_ASSIGN_OR_RETURN(part->mapping_, MappedFile::Open(path));
  return part;
}

PartFile::~PartFile() { unlink(path_.c_str()); }

// Not through the mapping: there a full disk would be the end of the process.
absl::Status PartFile::Write(std::uint64_t offset, absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t wrote = pwrite(file_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return ErrnoStatus(errno, "write", path_);
    offset += static_cast<std::uint64_t>(wrote);
    bytes.remove_prefix(static_cast<std::size_t>(wrote));
  }
  return absl::OkStatus();
}

}  // namespace cairn
