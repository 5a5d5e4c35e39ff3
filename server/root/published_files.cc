#include "server/root/published_files.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_format.h"
#include "adapter/directory.h"
#include "adapter/peft_config.h"
#include "base/digest.h"
#include "base/files.h"
#include "base/status_macros.h"
#include "server/store/make_directories.h"

namespace cairn {

namespace fs = std::filesystem;

constexpr char kShardPrefix[] = "shard-";

fs::path AdapterPath(const fs::path& data_dir, const std::string& federation, const std::string& sha256) {
  return data_dir / "adapters" / federation / (sha256 + ".safetensors");
}

fs::path VersionDirectory(const fs::path& data_dir, const std::string& federation, std::uint64_t version) {
  return data_dir / "published" / federation / absl::StrFormat("v%05d", version);
}

fs::path ShardPath(const fs::path& data_dir, const std::string& federation, const std::string& name) {
  return AdapterPath(data_dir, federation, kShardPrefix + name);
}

namespace {

// Of one federation. None where they cannot be listed: they are removed another time.
std::vector<fs::path> AdaptersOf(const fs::path& data_dir, const std::string& federation) {
  auto files = ListDirectory(AdapterPath(data_dir, federation, "").parent_path());
  return files.ok() ? *std::move(files) : std::vector<fs::path>();
}

}  // namespace

void RemoveShardFiles(const fs::path& data_dir, const std::string& federation) {
  for (const fs::path& file : AdaptersOf(data_dir, federation)) {
    std::error_code error;
    if (absl::StartsWith(file.filename().native(), kShardPrefix)) fs::remove(file, error);
  }
}

void RemoveOtherAdapters(const fs::path& data_dir, const std::string& federation,
                         const std::set<std::string>& digests) {
  for (const fs::path& file : AdaptersOf(data_dir, federation)) {
    std::error_code error;
    const std::string digest = file.stem().string();
    if (IsSha256Hex(digest) && digests.count(digest) == 0) fs::remove(file, error);
  }
}

absl::Status WriteVersionDirectory(const fs::path& data_dir, const std::string& federation, std::uint64_t version,
                                   const AdapterFile& whole) {
  const fs::path directory = VersionDirectory(data_dir, federation, version);
  const fs::path temporary = directory.string() + ".writing";
  std::error_code error;
  fs::remove_all(temporary, error);
  CAIRN_RETURN_IF_ERROR(MakeDirectories(temporary));
  CAIRN_RETURN_IF_ERROR(WriteFileAtomically(temporary / kAdapterConfigFile, whole.config));
  const fs::path model = AdapterPath(data_dir, federation, whole.sha256);
  if (link(model.c_str(), (temporary / kAdapterModelFile).c_str()) != 0) return ErrnoStatus(errno, "link", model);
  CAIRN_RETURN_IF_ERROR(SyncDirectory(temporary));
  // An earlier attempt of the same version, with the same bytes, may be there already: exchange them, never leave a
  // gap.
  const unsigned exchange = fs::exists(directory, error) ? RENAME_EXCHANGE : 0;
  if (renameat2(AT_FDCWD, temporary.c_str(), AT_FDCWD, directory.c_str(), exchange) != 0) {
    return ErrnoStatus(errno, "rename", temporary);
  }
  fs::remove_all(temporary, error);
  return SyncDirectory(directory.parent_path());
}

absl::Status PointLatestAt(const fs::path& data_dir, const std::string& federation, std::uint64_t version) {
  const fs::path directory = VersionDirectory(data_dir, federation, version);
  const fs::path temporary = directory.parent_path() / "latest.writing";
  const fs::path latest = directory.parent_path() / "latest";
  unlink(temporary.c_str());
  if (symlink(directory.filename().c_str(), temporary.c_str()) != 0) return ErrnoStatus(errno, "symlink", temporary);
  if (rename(temporary.c_str(), latest.c_str()) != 0) return ErrnoStatus(errno, "rename", temporary);
  return SyncDirectory(latest.parent_path());
}

}  // namespace cairn
