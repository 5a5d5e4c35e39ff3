// The 16 bytes that move between processes in place of an object.
#pragma once

#include <compare>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cairn {

// Names one object of one node's store for as long as that store lives. The entry is where to look; the generation
// tells an earlier object of that entry, and the check, which is random, a key that this store never gave out.
struct ObjectKey {
  std::uint32_t entry = 0;
  std::uint32_t generation = 0;  // From 1; 0 names nothing.
  std::uint64_t check = 0;

  friend constexpr bool operator==(const ObjectKey&, const ObjectKey&) = default;
  friend constexpr auto operator<=>(const ObjectKey&, const ObjectKey&) = default;

  // 32 lower-case hexadecimal characters: entry, generation, check, as numbers are written.
  std::string ToHex() const;
  // INVALID_ARGUMENT unless `text` is what ToHex writes.
  static absl::StatusOr<ObjectKey> FromHex(absl::string_view text);
};

static_assert(sizeof(ObjectKey) == 16);

}  // namespace cairn
