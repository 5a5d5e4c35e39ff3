// The root that a node's data directory belongs to. Another one knows of none of its updates: the node would let go of
// all of them.
#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace cairn {

// Thread-safe.
class KnownRoot {
 public:
  // Kept in <data_dir>/root once the node has met its root. `address`: where the root should be, for messages.
  static absl::StatusOr<std::unique_ptr<KnownRoot>> Load(std::filesystem::path data_dir, std::string address);

  std::string identity() const;  // v1::Welcome::root. Empty: none yet.
  // The root says who it is; empty: it is of a release that does not. The first to say so is the directory's from now
  // on. FAILED_PRECONDITION: it is not that one. Other errors: it cannot be written down.
  absl::Status Meet(const std::string& identity);

 private:
  KnownRoot(std::filesystem::path data_dir, std::string address)
      : data_dir_(std::move(data_dir)), address_(std::move(address)) {}

  const std::filesystem::path data_dir_;
  const std::string address_;
  mutable std::mutex mutex_;
  std::string identity_;
};

}  // namespace cairn
