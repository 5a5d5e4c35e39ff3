// A directory that is prepared out of sight and appears whole.
#pragma once

#include <filesystem>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace cairn::sdk {

// A hidden directory beside `target`, removed with this object unless it was swapped in.
class DirectorySwap {
 public:
  // Creates the parents of `target` as needed. FAILED_PRECONDITION: `target` exists and is something else than a
  // directory, or a directory that holds files but no adapter_config.json: such a one is not ours to replace.
  static absl::StatusOr<DirectorySwap> Begin(const std::filesystem::path& target);
  DirectorySwap(DirectorySwap&& other) noexcept;
  DirectorySwap& operator=(DirectorySwap&&) = delete;
  ~DirectorySwap();

  const std::filesystem::path& staging() const { return staging_; }
  // Puts the staged directory in the place of `target` in one step, durably. What was there is removed.
  absl::Status Commit();

 private:
  DirectorySwap(std::filesystem::path target, std::filesystem::path staging);

  std::filesystem::path target_, staging_;
};

}  // namespace cairn::sdk
