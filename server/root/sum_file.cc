#include "server/root/sum_file.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string>
#include <utility>

#include "base/files.h"
#include "base/map_apart.h"
#include "base/status_macros.h"
#include "server/store/make_directories.h"

namespace cairn {
namespace {

class FilePlane final : public SumPlane {
 public:
  explicit FilePlane(SumFile file) : file_(std::move(file)) {}
  absl::Span<std::int64_t> values() override {
    return {reinterpret_cast<std::int64_t*>(file_.bytes().data()), file_.bytes().size() / sizeof(std::int64_t)};
  }

 private:
  SumFile file_;
};

absl::StatusOr<UniqueFd> OpenNameless(const std::filesystem::path& directory) {
  UniqueFd file(open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (file) return file;
  std::string path = directory / "sum-XXXXXX";  // Not every file system has such files.
  file = UniqueFd(mkostemp(path.data(), O_CLOEXEC));
  if (!file) return ErrnoStatus(errno, "create", path);
  unlink(path.c_str());
  return file;
}

}  // namespace

absl::StatusOr<SumFile> SumFile::Create(const std::filesystem::path& directory, std::uint64_t bytes) {
  CAIRN_RETURN_IF_ERROR(MakeDirectories(directory));
  CAIRN_ASSIGN_OR_RETURN(const UniqueFd fd, OpenNameless(directory));
  // Now: a full disk would be the end of the process when a page of it is written.
  if (const int error = posix_fallocate(fd.get(), 0, static_cast<off_t>(bytes)); error != 0) {
    return ErrnoStatus(error, "make room for a sum in", directory);
  }
  void* const data = MapApart(bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get());
  if (data == MAP_FAILED) return ErrnoStatus(errno, "map a sum in", directory);
  SumFile file;
  file.data_ = static_cast<char*>(data);
  file.size_ = bytes;
  return file;
}

SumFile::SumFile(SumFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

SumFile& SumFile::operator=(SumFile&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

SumFile::~SumFile() {
  if (data_ != nullptr) munmap(data_, size_);
}

std::filesystem::path SumDirectory(const std::filesystem::path& data_dir) { return data_dir / "sums"; }

MakePlane FilePlanes(std::filesystem::path directory) {
  return [directory = std::move(directory)](std::size_t elements) -> absl::StatusOr<std::unique_ptr<SumPlane>> {
    CAIRN_ASSIGN_OR_RETURN(SumFile file, SumFile::Create(directory, elements * sizeof(std::int64_t)));
    return std::make_unique<FilePlane>(std::move(file));
  };
}

}  // namespace cairn
