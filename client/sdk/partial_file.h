// A file that grows by appending, with the sha256 of what it holds so far.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/digest.h"
#include "base/files.h"

namespace cairn::sdk {

class PartialFile {
 public:
  static absl::StatusOr<PartialFile> Create(std::filesystem::path path);

  absl::Status Append(absl::string_view bytes);
  std::uint64_t size() const { return size_; }
  // Back to an empty file.
  absl::Status Restart();
  // Makes the file durable and returns its sha256. Only Restart may follow.
  absl::StatusOr<std::string> Finish();

 private:
  PartialFile(std::filesystem::path path, UniqueFd fd) : path_(std::move(path)), fd_(std::move(fd)) {}

  std::filesystem::path path_;
  UniqueFd fd_;
  std::uint64_t size_ = 0;
  Sha256 hash_;
};

}  // namespace cairn::sdk
