// Memory for sums, in files that have no name: the system may write them out when memory is short, and they are gone
// with the process.
#pragma once

#include <cstdint>
#include <filesystem>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "aggregators/sum_plane.h"

namespace cairn {

class SumFile {
 public:
  // At least one byte. The directory is made when it is missing. Errors as base/files.h.
  static absl::StatusOr<SumFile> Create(const std::filesystem::path& directory, std::uint64_t bytes);
  SumFile() = default;
  SumFile(SumFile&& other) noexcept;
  SumFile& operator=(SumFile&& other) noexcept;
  ~SumFile();

  absl::Span<char> bytes() const { return {data_, size_}; }  // From the begin of a page on. Zeros at first.

 private:
  char* data_ = nullptr;
  std::size_t size_ = 0;
};

// Of a server.
std::filesystem::path SumDirectory(const std::filesystem::path& data_dir);

MakePlane FilePlanes(std::filesystem::path directory);

}  // namespace cairn
