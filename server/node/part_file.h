// A file as long as an update, in which only some of its bytes are.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/files.h"
#include "server/store/store.h"

namespace cairn {

// What was not written is a hole: zeros that take no room. The file goes with this object; mappings of it stay.
class PartFile final : public Blob {
 public:
  // Takes the place of a file at `path`. Errors as base/files.h. `bytes` at least 1.
  static absl::StatusOr<std::shared_ptr<PartFile>> Create(const std::filesystem::path& path, std::uint64_t bytes);
  ~PartFile() override;

  // What was written can be read from bytes(). RESOURCE_EXHAUSTED: the disk is full. REQUIRES: within the file; before
  // Close.
  absl::Status Write(std::uint64_t offset, absl::string_view bytes);

  // Nothing more is written: a round has thousands of such files, and a process not as many descriptors.
  void Close() { file_.Reset(); }

  absl::string_view bytes() const override { return mapping_.bytes(); }
  void DropPages() const override { mapping_.DropPages(); }
  std::optional<std::filesystem::path> path() const override { return path_; }

 private:
  PartFile(std::filesystem::path path, UniqueFd file) : path_(std::move(path)), file_(std::move(file)) {}

  const std::filesystem::path path_;
  UniqueFd file_;
  MappedFile mapping_;
};

}  // namespace cairn
