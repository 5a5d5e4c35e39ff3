// A safetensors file that is written by position, before its header is known.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "adapter/safetensors.h"
#include "base/files.h"

namespace cairn {

class TensorFile {
 public:
  // Reserves the header's space for `largest`, the tensors that Append will announce, or fewer, or smaller ones; and
  // `spare` bytes more. The file is created, or emptied.
  static absl::StatusOr<TensorFile> Create(const std::filesystem::path& path, const std::vector<TensorInfo>& largest,
                                           std::map<std::string, std::string> metadata, std::uint64_t spare = 0);
  TensorFile(TensorFile&&) = default;
  TensorFile& operator=(TensorFile&&) = default;
  ~TensorFile();  // Removes the file unless it was finished: half a file is worth nothing to anybody.

  // Announces the next tensor; where its bytes begin in the file. `begin` and `end` are ignored.
  std::uint64_t Append(const TensorInfo& tensor);
  // Any part of an announced tensor, in any order. Thread-safe. CANCELLED once the program was interrupted
  // (base/interrupt.h).
  absl::Status Write(std::uint64_t offset, absl::string_view bytes) const;
  // Writes the header, padded with spaces to the reserved length, and syncs. The size of the file. The directory's
  // entry is not synced.
  absl::StatusOr<std::uint64_t> Finish() &&;

 private:
  TensorFile() = default;
  std::filesystem::path path_;
  std::map<std::string, std::string> metadata_;
  UniqueFd fd_;
  std::uint64_t header_bytes_ = 0, end_ = 0;
  std::vector<TensorInfo> tensors_;
};

}  // namespace cairn
