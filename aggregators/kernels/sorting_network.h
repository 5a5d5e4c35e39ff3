// Sorting networks: a fixed list of compare-exchanges that sorts any values. As the list does not depend on the values,
// whole rows are compared at a time, which vector units do without a branch.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace cairn::kernels {

// The lower of both values goes to row `low`, the higher one to row `high`; where nothing depends on one of them, it
// need not be written.
struct Comparator {
  std::uint32_t low = 0, high = 0;  // low < high
  bool needs_low = true, needs_high = true;

  friend bool operator==(const Comparator&, const Comparator&) = default;
};

// Batcher's odd-even merge sort (Knuth, The Art of Computer Programming 3, 5.3.4), without the comparators that rows
// [first, end) of the sorted order do not depend on: the other rows end up with anything. About
// rows * log2(rows)^2 / 4 comparators: 63 for 16 rows, 543 for 64. Whole runs of `run` rows, from row 0 on, are sorted
// already. REQUIRES: first < end <= rows; `run` is a power of two.
std::vector<Comparator> SortingNetwork(std::size_t rows, std::size_t first, std::size_t end, std::size_t run = 1);

// SortingNetwork(8, 0, 8): what compilers can keep in registers.
inline constexpr std::size_t kOctet = 8;
inline constexpr std::array<Comparator, 19> kSortOctet = {{
    {0, 1}, {2, 3}, {0, 2}, {1, 3}, {1, 2}, {4, 5}, {6, 7}, {4, 6}, {5, 7}, {5, 6},  // Halves.
    {0, 4}, {2, 6}, {2, 4}, {1, 5}, {3, 7}, {3, 5}, {1, 2}, {3, 4}, {5, 6},
}};

}  // namespace cairn::kernels
