// Sorting networks: a fixed list of compare-exchanges that sorts any values. As the list does not depend on the values,
// whole rows are compared at a time, which vector units do without a branch.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace cairn::kernels {

// The lower of both values goes to row `low`, the higher one to row `high`.
struct Comparator {
  std::uint32_t low = 0, high = 0;  // low < high
};

// Batcher's odd-even merge sort (Knuth, The Art of Computer Programming 3, 5.3.4), without the comparators that rows
// [first, end) of the sorted order do not depend on: the other rows end up with the other values in any order. About
// rows * log2(rows)^2 / 4 comparators: 63 for 16 rows, 543 for 64. REQUIRES: first < end <= rows.
std::vector<Comparator> SortingNetwork(std::size_t rows, std::size_t first, std::size_t end);

}  // namespace cairn::kernels
