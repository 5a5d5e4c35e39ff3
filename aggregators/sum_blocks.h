// How matrices are cut in blocks for their sums over clients (kernels/window_sum.h). The cut must not depend on ranks,
// which differ between clients and grow as clients come; a block stays in the first- or second-level cache.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>

namespace cairn {

inline constexpr std::int64_t kSumBlockElements = 2048;

// Rows of one block, always a power of two, of a matrix whose width is the same in all clients: A [rank, d_in].
inline std::int64_t SumBlockRows(std::int64_t columns) {
  const auto rows = static_cast<std::uint64_t>(kSumBlockElements / std::max<std::int64_t>(1, columns));
  return static_cast<std::int64_t>(std::bit_floor(std::max<std::uint64_t>(1, rows)));
}
// Of one that is as wide as the rank: B [d_out, rank], and cores.
inline constexpr std::int64_t kSumBlockRowsOfB = 64;

}  // namespace cairn
