// Memory that several processes map: created here, passed on as a descriptor. Errors as base/files.h, with the name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/files.h"

namespace cairn {

// A mapping of a whole descriptor; ends with this object, not with the descriptor.
class Mapping {
 public:
  enum class Access { kRead, kReadWrite };
  static absl::StatusOr<Mapping> Map(int fd, std::uint64_t bytes, Access access);
  Mapping() = default;
  Mapping(Mapping&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  Mapping& operator=(Mapping&& other) noexcept;
  ~Mapping() { Reset(); }
  void Reset();

  char* data() const { return data_; }  // Of a kRead mapping: not to be written.
  std::uint64_t bytes() const { return bytes_; }
  explicit operator bool() const { return data_ != nullptr; }

  // Brings the pages of a part in now, in one call, instead of one by one as they are touched.
  void Prefault(Access access, std::uint64_t first, std::uint64_t bytes) const;

 private:
  char* data_ = nullptr;
  std::uint64_t bytes_ = 0;
};

// `bytes` of address space; memory comes as it is touched or with AllocatePages.
absl::StatusOr<UniqueFd> CreateMemfd(const char* name, std::uint64_t bytes);
// RESOURCE_EXHAUSTED when the system lacks the memory, where touching the page would end the process.
absl::Status AllocatePages(int fd, std::uint64_t first, std::uint64_t bytes);

// From now on nobody can change the size, nor take pages beyond it.
absl::Status SealSize(int fd);

// From now on nobody can map the memory for writing or write to it, through this descriptor or any other, except
// through mappings that are there already. The size is sealed as well.
absl::Status SealAgainstNewWriters(int fd);

// Another descriptor of the same, which stays open when `fd` is closed.
absl::StatusOr<UniqueFd> Duplicate(int fd);

// Another descriptor of the same memory that cannot be written or mapped for writing.
absl::StatusOr<UniqueFd> ReopenReadOnly(int fd);

}  // namespace cairn
