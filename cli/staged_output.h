// Output that is there whole or not at all: it is written into a temporary sibling and put in place by one rename.
#pragma once

#include <filesystem>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/files.h"

namespace cairn {

class StagedOutput {
 public:
  // ALREADY_EXISTS when `target` is there; NOT_FOUND when its parent is not. Removes what runs that were killed have
  // left of the same target: `.TARGET.partial-NUMBER` with a file in it that marks it.
  static absl::StatusOr<StagedOutput> Create(const std::filesystem::path& target);
  StagedOutput(StagedOutput&&) = default;  // What was moved from removes nothing: its path is empty.
  StagedOutput& operator=(StagedOutput&&) = delete;
  ~StagedOutput();  // Removes everything unless Commit succeeded.

  // A directory, empty at first. Files in it must be synced by whoever writes them.
  const std::filesystem::path& directory() const { return directory_; }
  // Puts the directory in place, durably; or with `only`, that file of it. ALREADY_EXISTS when somebody else was
  // faster.
  absl::Status Commit(const std::filesystem::path& only = {}) &&;

 private:
  StagedOutput() = default;
  absl::Status MakeDirectory();

  std::filesystem::path target_;
  std::filesystem::path temporary_;  // Beside the target: the marker, and
  std::filesystem::path directory_;  // what is to become the target.
  UniqueFd lock_;                    // On the temporary directory: held, it is in use.
};

}  // namespace cairn
