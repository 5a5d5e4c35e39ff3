// The weights of a base model: one safetensors file, or several with an index, as Hugging Face writes them. Only
// headers are in memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "adapter/safetensors.h"
#include "base/files.h"

namespace cairn {

class BaseModel {
 public:
  struct Shard {
    std::string file_name;  // Without its directory.
    SafetensorsHeader header;
    UniqueFd fd;
  };

  // A safetensors file; or a directory with model.safetensors, with model.safetensors.index.json and its shards, or
  // with one other safetensors file or index. NOT_FOUND when there is none of them; INVALID_ARGUMENT when index and
  // shards do not fit together or a file is malformed.
  static absl::StatusOr<BaseModel> Open(const std::filesystem::path& path);

  const std::vector<Shard>& shards() const { return shards_; }
  // Empty for a model in one file.
  const std::string& index_name() const { return index_name_; }

  // Bytes [first, first + bytes) of the tensors' data of a file, into `out`. DATA_LOSS when the file became shorter.
  absl::Status Read(std::size_t shard, std::uint64_t first, std::size_t bytes, char* out) const;

 private:
  absl::Status AddShard(const std::filesystem::path& file);
  absl::Status AddIndex(const std::filesystem::path& index);

  std::filesystem::path directory_;
  std::vector<Shard> shards_;
  std::string index_name_;
};

}  // namespace cairn
