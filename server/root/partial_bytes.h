// A partial sum as one run of bytes, as it goes from a node to the root: the index, zeros to a multiple of 8 bytes, the
// planes one after the other (docs/formats/partial.md).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "aggregators/partial_sum.h"

namespace cairn {

struct PartialLayout {
  std::uint64_t index_bytes = 0;
  std::uint32_t planes = 0;
  std::uint64_t plane_bytes = 0;  // Of each.

  std::uint64_t planes_at() const;
  std::uint64_t bytes() const;  // Of all. REQUIRES: CheckLayout.
};

// DATA_LOSS: no layout of a partial, or more than `bytes_max` bytes.
absl::Status CheckLayout(const PartialLayout& layout, std::uint64_t bytes_max);

// The pieces, in order. They point to `index`, which is view.Index(), and to the planes.
PartialLayout LayoutOf(absl::string_view index, const PartialView& view);
std::vector<absl::string_view> PiecesOf(absl::string_view index, const PartialView& view);

// `bytes` are aligned as int64 is, and stay. DATA_LOSS: they are no partial sum. UNIMPLEMENTED: one of another version.
absl::StatusOr<PartialView> ReadPartial(const PartialLayout& layout, absl::string_view bytes);

}  // namespace cairn
