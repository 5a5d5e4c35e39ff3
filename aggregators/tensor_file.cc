#include "aggregators/tensor_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/interrupt.h"
#include "base/lost_pages.h"
#include "base/progress.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

constexpr std::uint64_t kAlignment = 8;  // Where the data begins, as SafetensorsPreamble has it.

std::uint64_t BytesOf(const TensorInfo& tensor) {
  std::uint64_t bytes = SizeOf(tensor.dtype);
  for (const std::int64_t dim : tensor.shape) bytes *= static_cast<std::uint64_t>(dim);
  return bytes;
}

// The length field and the JSON, with spaces behind it up to `bytes` in all: readers skip them.
std::string Padded(std::string preamble, std::uint64_t bytes) {
  preamble.resize(bytes, ' ');
  const std::uint64_t length = bytes - sizeof length;
  std::memcpy(preamble.data(), &length, sizeof length);
  return preamble;
}

}  // namespace

absl::StatusOr<TensorFile> TensorFile::Create(const std::filesystem::path& path, const std::vector<TensorInfo>& largest,
                                              std::map<std::string, std::string> metadata, std::uint64_t spare) {
  CAIRN_ASSIGN_OR_RETURN(const std::string preamble, SafetensorsPreamble(largest, metadata));
  TensorFile file;
  file.path_ = path;
  file.metadata_ = std::move(metadata);
  file.fd_ = UniqueFd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!file.fd_) return ErrnoStatus(errno, "create", path);
  file.header_bytes_ = file.end_ = preamble.size() + (spare + kAlignment - 1) / kAlignment * kAlignment;
  return file;
}

TensorFile::~TensorFile() {
  if (fd_) ::unlink(path_.c_str());
}

std::uint64_t TensorFile::Append(const TensorInfo& tensor) {
  tensors_.push_back(tensor);
  return std::exchange(end_, end_ + BytesOf(tensor));
}

absl::Status TensorFile::Write(std::uint64_t offset, absl::string_view bytes) const {
  CAIRN_RETURN_IF_ERROR(InterruptGuard::Check());
  WorkProgress::Made();
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0 && errno == EFAULT) return LostPagesGuard::Error();  // `bytes` lie in a mapped file.
    if (written < 0) return ErrnoStatus(errno, "write", path_);
    bytes.remove_prefix(static_cast<std::size_t>(written));
    offset += static_cast<std::uint64_t>(written);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::uint64_t> TensorFile::Finish() && {
  CAIRN_ASSIGN_OR_RETURN(std::string preamble, SafetensorsPreamble(tensors_, metadata_));
  if (preamble.size() > header_bytes_) {
    return absl::InternalError(
        absl::StrCat(path_.native(), ": the header takes ", preamble.size(), " bytes, reserved were ", header_bytes_));
  }
  CAIRN_RETURN_IF_ERROR(Write(0, Padded(std::move(preamble), header_bytes_)));
  if (::fsync(fd_.get()) != 0) return ErrnoStatus(errno, "fsync", path_);
  fd_.Reset();
  return end_;
}

}  // namespace cairn
