// Named tensors from one .safetensors file, or from a folder where they are cut into shards as Hugging Face's libraries
// do: STEM.safetensors, or STEM.safetensors.index.json that says which tensor lies in which file. Adapters have the
// stem adapter_model, base models model.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "adapter/safetensors.h"
#include "base/files.h"

namespace cairn {

inline constexpr char kAdapterStem[] = "adapter_model";
inline constexpr char kBaseModelStem[] = "model";

// What STEM.safetensors.index.json says: the file of every tensor. INVALID_ARGUMENT unless `weight_map` is there, not
// empty, and gives plain names of .safetensors files.
using FileByTensor = std::map<std::string, std::string, std::less<>>;
absl::StatusOr<FileByTensor> ParseTensorIndex(absl::string_view json);

// One mapped file; only pages in use are resident.
struct TensorShard {
  std::string name;  // Without folder.
  MappedFile file;
  std::map<std::string, std::string> metadata;
};

class TensorFiles {
 public:
  // `path` is a .safetensors file or a folder. NOT_FOUND when the folder has neither file; INVALID_ARGUMENT, with the
  // file's name in front, for a folder with both, files that ParseSafetensors refuses, an index whose file names are
  // not plain names of .safetensors files, one that names a tensor which is not in its file or leaves one out, and
  // everything beyond base/limits.h.
  static absl::StatusOr<TensorFiles> Open(const std::filesystem::path& path, absl::string_view stem);

  // Ascending by name, no name twice. The views live as long as this object, moved or not.
  const std::vector<TensorView>& tensors() const { return tensors_; }

  const std::vector<TensorShard>& shards() const { return shards_; }  // Ascending by name.
  // Which shard tensors()[i] lies in.
  std::size_t shard_of(std::size_t i) const { return shard_of_[i]; }
  bool has_index() const { return has_index_; }
  std::uint64_t bytes() const;  // Of all files.

  // Lets the pages leave this process' memory until they are read again.
  void DropPages() const;

 private:
  static absl::StatusOr<TensorFiles> OpenFiles(const std::filesystem::path& folder,
                                               const std::vector<std::string>& names);

  std::vector<TensorShard> shards_;
  std::vector<TensorView> tensors_;
  std::vector<std::size_t> shard_of_;
  bool has_index_ = false;
};

}  // namespace cairn
