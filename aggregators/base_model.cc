#include "aggregators/base_model.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <map>
#include <set>
#include <system_error>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "adapter/strict_json.h"
#include "base/limits.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

namespace fs = std::filesystem;

constexpr char kModelFile[] = "model.safetensors";
constexpr absl::string_view kIndexEnding = ".safetensors.index.json";
constexpr absl::string_view kFileEnding = ".safetensors";

absl::Status InFile(const fs::path& file, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat(file.native(), ": ", status.message()));
}

absl::Status ReadAt(int fd, std::uint64_t at, std::size_t bytes, char* out, const fs::path& path) {
  while (bytes > 0) {
    const ssize_t got = ::pread(fd, out, bytes, static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return ErrnoStatus(errno, "read", path);
    if (got == 0) return absl::DataLossError(absl::StrCat("read ", path.native(), ": it became shorter meanwhile"));
    out += got;
    bytes -= static_cast<std::size_t>(got);
    at += static_cast<std::uint64_t>(got);
  }
  return absl::OkStatus();
}

absl::StatusOr<SafetensorsHeader> ReadHeader(int fd, const fs::path& path) {
  struct stat info;
  if (::fstat(fd, &info) != 0) return ErrnoStatus(errno, "stat", path);
  if (!S_ISREG(info.st_mode)) return absl::InvalidArgumentError(absl::StrCat(path.native(), ": not a regular file"));
  const auto size = static_cast<std::uint64_t>(info.st_size);
  std::string prefix(sizeof(std::uint64_t), '\0');
  if (size < prefix.size()) return absl::InvalidArgumentError(absl::StrCat(path.native(), ": no safetensors file"));
  CAIRN_RETURN_IF_ERROR(ReadAt(fd, 0, prefix.size(), prefix.data(), path));
  const auto bytes = SafetensorsHeaderBytes(prefix, size);
  if (!bytes.ok()) return InFile(path, bytes.status());
  prefix.resize(*bytes);
  CAIRN_RETURN_IF_ERROR(ReadAt(fd, 0, prefix.size(), prefix.data(), path));
  auto header = ReadSafetensorsHeader(prefix, size);
  if (!header.ok()) return InFile(path, header.status());
  return header;
}

// Names in `directory` that end so, ascending.
absl::StatusOr<std::vector<std::string>> NamesEndingIn(const fs::path& directory, absl::string_view ending) {
  std::set<std::string> names;
  std::error_code error;
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().native();
    if (absl::EndsWith(name, ending) && name.front() != '.') names.insert(name);
  }
  if (error) return ErrnoStatus(error.value(), "list", directory);
  return std::vector<std::string>(names.begin(), names.end());
}

// Tensor name to file name.
absl::StatusOr<std::map<std::string, std::string>> ReadWeightMap(const fs::path& index) {
  constexpr JsonBounds kBounds{.depth_max = 8, .values_max = 4 * limits::kTensorsMax};
  CAIRN_ASSIGN_OR_RETURN(const std::string text, ReadFile(index, limits::kSafetensorsHeaderBytesMax));
  const auto json = ParseStrictJson(text, kBounds);
  if (!json.ok()) return InFile(index, json.status());
  const JsonValue* map = json->Find("weight_map");
  const JsonObject* entries = map == nullptr ? nullptr : map->As<JsonObject>();
  if (entries == nullptr || entries->empty()) {
    return absl::InvalidArgumentError(absl::StrCat(index.native(), ": weight_map: expected an object with tensors"));
  }
  std::map<std::string, std::string> files;
  for (const JsonMember& entry : *entries) {
    const std::string* file = entry.value.As<std::string>();
    if (file == nullptr || file->empty() || absl::StrContains(*file, '/') || file->front() == '.') {
      return absl::InvalidArgumentError(absl::StrCat(index.native(), ": weight_map: ", absl::CHexEscape(entry.key),
                                                     ": expected a file name, got ", Describe(entry.value)));
    }
    files[entry.key] = *file;
  }
  return files;
}

}  // namespace

absl::Status BaseModel::AddShard(const fs::path& file) {
  Shard shard{.file_name = file.filename().native()};
  shard.fd = UniqueFd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!shard.fd) return ErrnoStatus(errno, "open", file);
  CAIRN_ASSIGN_OR_RETURN(shard.header, ReadHeader(shard.fd.get(), file));
  shards_.push_back(std::move(shard));
  return absl::OkStatus();
}

absl::Status BaseModel::AddIndex(const fs::path& index) {
  CAIRN_ASSIGN_OR_RETURN(auto weight_map, ReadWeightMap(index));
  index_name_ = index.filename().native();
  std::set<std::string> files;
  for (const auto& [tensor, file] : weight_map) files.insert(file);
  for (const std::string& file : files) {
    CAIRN_RETURN_IF_ERROR(AddShard(directory_ / file));
    for (const TensorInfo& tensor : shards_.back().header.tensors) {
      const auto entry = weight_map.find(tensor.name);
      if (entry != weight_map.end() && entry->second == file) {
        weight_map.erase(entry);
        continue;
      }
      return absl::InvalidArgumentError(absl::StrCat(index.native(), ": tensor \"", absl::CHexEscape(tensor.name),
                                                     "\" is in ", file, ", which weight_map does not say"));
    }
  }
  if (weight_map.empty()) return absl::OkStatus();
  const auto& [tensor, file] = *weight_map.begin();
  return absl::InvalidArgumentError(
      absl::StrCat(index.native(), ": tensor \"", absl::CHexEscape(tensor), "\" is not in ", file));
}

absl::StatusOr<BaseModel> BaseModel::Open(const fs::path& path) {
  BaseModel model;
  std::error_code error;
  if (!fs::is_directory(path, error)) {
    model.directory_ = path.has_parent_path() ? path.parent_path() : fs::path(".");
    CAIRN_RETURN_IF_ERROR(absl::EndsWith(path.native(), kIndexEnding) ? model.AddIndex(path) : model.AddShard(path));
    return model;
  }
  model.directory_ = path;
  CAIRN_ASSIGN_OR_RETURN(const auto files, NamesEndingIn(path, kFileEnding));
  CAIRN_ASSIGN_OR_RETURN(const auto indices, NamesEndingIn(path, kIndexEnding));
  if (fs::exists(path / kModelFile, error)) {
    CAIRN_RETURN_IF_ERROR(model.AddShard(path / kModelFile));
  } else if (indices.size() == 1) {
    CAIRN_RETURN_IF_ERROR(model.AddIndex(path / indices.front()));
  } else if (indices.empty() && files.size() == 1) {
    CAIRN_RETURN_IF_ERROR(model.AddShard(path / files.front()));
  } else {
    return absl::NotFoundError(absl::StrCat(path.native(), ": expected ", kModelFile, " or one *", kIndexEnding,
                                            ", found ", files.size(), " safetensors files and ", indices.size(),
                                            " indices; name the one to use"));
  }
  return model;
}

absl::Status BaseModel::Read(std::size_t shard, std::uint64_t first, std::size_t bytes, char* out) const {
  return ReadAt(shards_[shard].fd.get(), first, bytes, out, directory_ / shards_[shard].file_name);
}

}  // namespace cairn
