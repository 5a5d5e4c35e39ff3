// The safetensors format (docs/formats/safetensors.md): u64 little-endian header length, JSON header, tensor bytes.
// The reader is strict: it accepts only files that every implementation reads the same way.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "adapter/dtype.h"

namespace cairn {

// A named tensor inside somebody else's bytes. Row-major, little-endian; `data` may be unaligned.
struct TensorView {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<std::int64_t> shape;
  absl::string_view data;
  absl::string_view mapping;  // The read-only file mapping that `data` lies in, if it does: its pages may be dropped.

  std::int64_t elements() const;  // The product of the shape, whether the data is there or not.
};

// What a header declares, before any tensor byte is there.
struct TensorInfo {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<std::int64_t> shape;
  std::uint64_t begin = 0, end = 0;  // Offsets of its bytes in the whole file.
};

struct SafetensorsHeader {
  std::vector<TensorInfo> tensors;  // Ascending by offset; they tile the data section without gap or overlap.
  std::map<std::string, std::string> metadata;  // "__metadata__".
  std::uint64_t header_bytes = 0;               // 8 + JSON: where the data section begins.
  std::uint64_t file_bytes = 0;
};

// How many leading bytes of a file ReadSafetensorsHeader needs; `prefix` holds at least the first 8.
// INVALID_ARGUMENT when the declared length is zero, exceeds limits::kSafetensorsHeaderBytesMax or the file.
absl::StatusOr<std::uint64_t> SafetensorsHeaderBytes(absl::string_view prefix, std::uint64_t file_bytes);

// Parses the header from the leading bytes of a file that is `file_bytes` long in all. INVALID_ARGUMENT, with the
// tensor's name where there is one, for: bad JSON, duplicate names, unknown keys or dtypes, shape and byte count that
// disagree, offsets that overlap, leave gaps, or do not end at the end of the file, and everything beyond
// base/limits.h.
absl::StatusOr<SafetensorsHeader> ReadSafetensorsHeader(absl::string_view prefix, std::uint64_t file_bytes);

// A whole file. The views point into `bytes`.
struct Safetensors {
  std::vector<TensorView> tensors;  // Ascending by name.
  std::map<std::string, std::string> metadata;
};
absl::StatusOr<Safetensors> ParseSafetensors(absl::string_view bytes);

// The leading bytes (length, JSON, padding to 8 bytes) of a file with these tensors, laid out in the given order; only
// name, dtype and shape are read, offsets are assigned. Deterministic: the same tensors give the same bytes.
absl::StatusOr<std::string> SafetensorsPreamble(const std::vector<TensorInfo>& tensors,
                                                const std::map<std::string, std::string>& metadata);

// A whole file in memory.
absl::StatusOr<std::string> SerializeSafetensors(const std::vector<TensorView>& tensors,
                                                 const std::map<std::string, std::string>& metadata = {});

}  // namespace cairn
