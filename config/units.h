// Byte sizes and durations as people write them in a configuration.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace cairn {

// A whole number of bytes with an optional unit: "1024", "4GB" (powers of 1000: kB MB GB TB), "512MiB" (powers of 1024:
// KiB MiB GiB TiB). INVALID_ARGUMENT: not of this form, or beyond 2^63 - 1.
absl::StatusOr<std::uint64_t> ParseBytes(absl::string_view text);

// With the largest binary unit that keeps it a whole number: 536870912 is "512MiB". ParseBytes reads it back.
std::string FormatBytes(std::uint64_t bytes);

// A positive duration with a unit: "10s", "30m", "1h30m", "250ms". INVALID_ARGUMENT otherwise, and for "inf".
absl::StatusOr<absl::Duration> ParseDuration(absl::string_view text);

}  // namespace cairn
