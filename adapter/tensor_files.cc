#include "adapter/tensor_files.h"

#include <algorithm>
#include <numeric>
#include <set>
#include <system_error>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "adapter/safetensors_internal.h"
#include "adapter/strict_json.h"
#include "base/limits.h"
#include "base/paths.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

namespace fs = std::filesystem;

// One value a tensor, and a few of metadata.
constexpr JsonBounds kIndexBounds = {.depth_max = 8, .values_max = limits::kModelTensorsMax + 64};
constexpr absl::string_view kExtension = ".safetensors";

// A name of a file in the index's own folder: nothing that leads out of it.
bool IsPlainName(absl::string_view name) {
  return absl::EndsWith(name, kExtension) && name.front() != '.' && name.find('/') == name.npos &&
         std::all_of(name.begin(), name.end(), [](char c) { return absl::ascii_isprint(c); });
}

absl::StatusOr<FileByTensor> ReadIndex(const fs::path& file) {
  CAIRN_ASSIGN_OR_RETURN(const std::string text, ReadFile(file, limits::kIndexBytesMax));
  absl::StatusOr<FileByTensor> index = ParseTensorIndex(text);
  if (!index.ok()) return InFile(file, index.status());
  return index;
}

std::set<std::string> FilesOf(const FileByTensor& index) {
  std::set<std::string> names;
  for (const auto& [tensor, file] : index) names.insert(file);
  return names;
}

// Every tensor that is there must be in the file that the index says, and nothing that the index says may be missing.
absl::Status CheckIndex(const FileByTensor& index, const std::vector<TensorView>& tensors,
                        const std::vector<std::string>& files) {
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const auto entry = index.find(tensors[i].name);
    if (entry == index.end()) {
      return TensorError(tensors[i].name, absl::StrCat("in ", files[i], ", but weight_map lacks it"));
    }
    if (entry->second != files[i]) {
      return TensorError(tensors[i].name, absl::StrCat("in ", files[i], ", but weight_map says ", entry->second));
    }
  }
  if (tensors.size() == index.size()) return absl::OkStatus();
  std::set<absl::string_view> there;
  for (const TensorView& tensor : tensors) there.insert(tensor.name);
  const auto missing =
      std::find_if(index.begin(), index.end(), [&](const auto& x) { return !there.contains(x.first); });
  return TensorError(missing->first, absl::StrCat("weight_map: not in ", missing->second));
}

}  // namespace

absl::StatusOr<FileByTensor> ParseTensorIndex(absl::string_view text) {
  CAIRN_ASSIGN_OR_RETURN(const JsonValue json, ParseStrictJson(text, kIndexBounds));
  const JsonValue* map = json.Find("weight_map");
  const auto* entries = map == nullptr ? nullptr : map->As<JsonObject>();
  if (entries == nullptr || entries->empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("weight_map: expected an object with tensors, got ", map == nullptr ? "nothing" : Describe(*map)));
  }
  FileByTensor files;
  for (const auto& [tensor, value] : *entries) {
    CAIRN_RETURN_IF_ERROR(CheckTensorName(tensor));
    const auto* file = value.As<std::string>();
    if (file == nullptr || !IsPlainName(*file)) {
      return TensorError(tensor,
                         absl::StrCat("weight_map: expected the name of a .safetensors file in the same folder, got ",
                                      Describe(value)));
    }
    files.emplace(tensor, *file);
  }
  return files;
}

absl::StatusOr<TensorFiles> TensorFiles::Open(const fs::path& path, absl::string_view stem) {
  std::error_code ignored;
  if (!fs::is_directory(path, ignored)) return OpenFiles(path.parent_path(), {path.filename().native()});
  const fs::path single = path / absl::StrCat(stem, kExtension);
  const fs::path index_file = path / absl::StrCat(stem, kExtension, ".index.json");
  const bool has_index = fs::exists(index_file, ignored);
  if (!has_index) return OpenFiles(path, {single.filename().native()});
  if (fs::exists(single, ignored)) {
    return absl::InvalidArgumentError(absl::StrCat(path.native(), ": expected one of ", single.filename().native(),
                                                   " and ", index_file.filename().native(), ", got both"));
  }
  CAIRN_ASSIGN_OR_RETURN(const FileByTensor index, ReadIndex(index_file));
  const std::set<std::string> names = FilesOf(index);
  if (names.size() > limits::kShardsMax) {
    return absl::InvalidArgumentError(
        absl::StrCat(index_file.native(), ": expected at most ", limits::kShardsMax, " files, got ", names.size()));
  }
  CAIRN_ASSIGN_OR_RETURN(TensorFiles files, OpenFiles(path, {names.begin(), names.end()}));
  files.has_index_ = true;
  std::vector<std::string> shard_names;
  for (std::size_t i = 0; i < files.tensors_.size(); ++i) shard_names.push_back(files.shards_[files.shard_of_[i]].name);
  if (const absl::Status status = CheckIndex(index, files.tensors_, shard_names); !status.ok()) {
    return InFile(index_file, status);
  }
  return files;
}

absl::StatusOr<TensorFiles> TensorFiles::OpenFiles(const fs::path& folder, const std::vector<std::string>& names) {
  TensorFiles files;
  std::vector<std::pair<TensorView, std::size_t>> tensors;
  for (const std::string& name : names) {
    CAIRN_ASSIGN_OR_RETURN(MappedFile file, MappedFile::Open(folder / name));
    absl::StatusOr<Safetensors> parsed = ParseSafetensors(file.bytes());
    if (!parsed.ok()) return InFile(folder / name, parsed.status());
    for (TensorView& tensor : parsed->tensors) {
      tensor.mapping = file.bytes();
      tensors.emplace_back(std::move(tensor), files.shards_.size());
    }
    files.shards_.push_back({name, std::move(file), std::move(parsed->metadata)});
  }
  std::sort(tensors.begin(), tensors.end(), [](const auto& x, const auto& y) { return x.first.name < y.first.name; });
  for (auto& [tensor, shard] : tensors) {
    if (!files.tensors_.empty() && files.tensors_.back().name == tensor.name) {
      return InFile(folder, TensorError(tensor.name, absl::StrCat("in ", files.shards_[files.shard_of_.back()].name,
                                                                  " and in ", files.shards_[shard].name)));
    }
    files.tensors_.push_back(std::move(tensor));
    files.shard_of_.push_back(shard);
  }
  return files;
}

std::uint64_t TensorFiles::bytes() const {
  return std::accumulate(shards_.begin(), shards_.end(), std::uint64_t{0},
                         [](std::uint64_t sum, const TensorShard& shard) { return sum + shard.file.bytes().size(); });
}

void TensorFiles::DropPages() const {
  for (const TensorShard& shard : shards_) shard.file.DropPages();
}

}  // namespace cairn
