#include "server/node/adapter_cache.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "base/status_macros.h"
#include "server/store/make_directories.h"

namespace cairn {

namespace fs = std::filesystem;

namespace {

constexpr char kWriting[] = ".writing";

}  // namespace

AdapterCache::Incoming::~Incoming() {
  if (fd_) unlink(path_.c_str());
}

absl::Status AdapterCache::Incoming::Append(absl::Span<const absl::string_view> slices) {
  for (const absl::string_view slice : slices) {
    CAIRN_RETURN_IF_ERROR(WriteAll(fd_.get(), slice, path_));
    sha_.Update(slice);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<AdapterCache>> AdapterCache::Open(fs::path directory, std::uint64_t bytes_max) {
  std::error_code error;
  fs::remove_all(directory, error);
  CAIRN_RETURN_IF_ERROR(MakeDirectories(directory));
  return std::unique_ptr<AdapterCache>(new AdapterCache(std::move(directory), bytes_max));
}

std::shared_ptr<const MappedFile> AdapterCache::Find(const std::string& sha256) {
  const fs::path path = PathOf(sha256);
  auto file = MappedFile::Open(path);
  if (!file.ok()) return nullptr;
  std::error_code error;
  fs::last_write_time(path, fs::file_time_type::clock::now(), error);  // It was of use.
  return std::make_shared<const MappedFile>(*std::move(file));
}

absl::StatusOr<AdapterCache::Incoming> AdapterCache::Begin(const std::string& sha256) {
  const fs::path path = PathOf(sha256).native() + kWriting;
  UniqueFd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!fd) return ErrnoStatus(errno, "open", path);
  return Incoming(path, std::move(fd));
}

absl::StatusOr<std::shared_ptr<const MappedFile>> AdapterCache::Keep(Incoming incoming, const std::string& sha256) {
  const std::string came = ToHex(incoming.sha_.Finish());
  if (came != sha256) {
    return absl::DataLossError(absl::StrCat("the root's adapter ", sha256, " arrived with sha256 ", came));
  }
  const fs::path path = PathOf(sha256);
  if (rename(incoming.path_.c_str(), path.c_str()) != 0) return ErrnoStatus(errno, "rename", incoming.path_);
  incoming.fd_.Reset();
  CAIRN_ASSIGN_OR_RETURN(MappedFile file, MappedFile::Open(path));
  MakeRoom(path);
  return std::make_shared<const MappedFile>(std::move(file));
}

void AdapterCache::MakeRoom(const fs::path& latest) {
  struct Entry {
    fs::file_time_type used;
    std::uint64_t bytes;
    fs::path path;
  };
  std::lock_guard lock(mutex_);
  std::vector<Entry> entries;
  std::uint64_t total = 0;
  const auto files = ListDirectory(directory_);
  if (!files.ok()) return;
  for (const fs::path& file : *files) {
    if (absl::EndsWith(file.native(), kWriting)) continue;
    std::error_code gone;
    const std::uint64_t bytes = fs::file_size(file, gone);
    if (gone) continue;
    entries.push_back({fs::last_write_time(file, gone), bytes, file});
    total += bytes;
  }
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.used < b.used; });
  for (const Entry& entry : entries) {
    if (total <= bytes_max_) return;
    if (entry.path == latest) continue;
    unlink(entry.path.c_str());  // Those who send it have it mapped.
    total -= entry.bytes;
  }
}

}  // namespace cairn
