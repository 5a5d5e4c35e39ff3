// Objects that had to leave memory, one file each. They are not synced: what is spilled dies with the store, as memory
// does.
#pragma once

#include <cstdint>
#include <filesystem>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/files.h"
#include "server/store/shared/object_key.h"

namespace cairn {

// DATA_LOSS: what spilled object `key` was written to is not of `bytes` any more, and to map so much could end the
// process.
absl::Status CheckFileBytes(int fd, const ObjectKey& key, std::uint64_t bytes);

class SpillFiles {
 public:
  SpillFiles() = default;
  // `directory` is created when missing, and emptied of what an earlier store left.
  static absl::StatusOr<SpillFiles> Open(std::filesystem::path directory);

  bool enabled() const { return !directory_.empty(); }
  std::filesystem::path PathOf(const ObjectKey& key) const;
  // RESOURCE_EXHAUSTED: disk full, and nothing is left of the attempt.
  absl::Status Write(const ObjectKey& key, absl::string_view bytes) const;
  // DATA_LOSS: the file has not these bytes any more; somebody else was at it.
  absl::StatusOr<UniqueFd> OpenForReading(const ObjectKey& key, std::uint64_t bytes) const;
  void Remove(const ObjectKey& key) const;

 private:
  std::filesystem::path directory_;
};

}  // namespace cairn
