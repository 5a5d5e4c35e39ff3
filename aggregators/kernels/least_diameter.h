// The columns that lie closest together.
#pragma once

#include <cstddef>
#include <vector>

#include "aggregators/kernels/small_matrix.h"

namespace cairn::kernels {

struct LeastDiameter {
  std::vector<std::size_t> subset;  // Ascending.
  double squared_diameter = 0;      // The largest squared distance within it.
};

// All but `left_out` of the first `columns` columns, so that the diameter is least; of several such subsets the
// lexicographically first. Exact: of the two columns farthest apart one must go for the diameter to fall, so that
// 2^left_out choices are looked at and not every subset. O(2^left_out (left_out + 1) columns^2).
// REQUIRES: left_out < columns.
LeastDiameter FindLeastDiameter(const SmallMatrix& gram, std::size_t columns, std::size_t left_out);

}  // namespace cairn::kernels
