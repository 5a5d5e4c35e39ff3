// Published adapters that a node has fetched from the root, by digest, below a bound. Thread-safe.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/digest.h"
#include "base/files.h"

namespace cairn {

class AdapterCache {
 public:
  // A file on its way. Destroyed without Keep, it is removed.
  class Incoming {
   public:
    Incoming(Incoming&& other) = default;
    ~Incoming();
    absl::Status Append(absl::Span<const absl::string_view> slices);

   private:
    friend class AdapterCache;
    Incoming(std::filesystem::path path, UniqueFd fd) : path_(std::move(path)), fd_(std::move(fd)) {}
    std::filesystem::path path_;
    UniqueFd fd_;
    Sha256 sha_;
  };

  // `directory` is emptied: nothing in it was synced. What goes beyond `bytes_max` is removed,
  // the longest unused first, but never the latest that came.
  static absl::StatusOr<std::unique_ptr<AdapterCache>> Open(std::filesystem::path directory, std::uint64_t bytes_max);

  // Null: not here. What is returned stays readable.
  std::shared_ptr<const MappedFile> Find(const std::string& sha256);
  absl::StatusOr<Incoming> Begin(const std::string& sha256);
  // DATA_LOSS: other bytes.
  absl::StatusOr<std::shared_ptr<const MappedFile>> Keep(Incoming incoming, const std::string& sha256);

  std::filesystem::path PathOf(const std::string& sha256) const { return directory_ / (sha256 + ".safetensors"); }

 private:
  AdapterCache(std::filesystem::path directory, std::uint64_t bytes_max)
      : directory_(std::move(directory)), bytes_max_(bytes_max) {}
  void MakeRoom(const std::filesystem::path& latest);

  const std::filesystem::path directory_;
  const std::uint64_t bytes_max_;
  std::mutex mutex_;
};

}  // namespace cairn
