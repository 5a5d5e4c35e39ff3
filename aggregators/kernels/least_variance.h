// The columns that vary least along the direction along which they vary most.
#pragma once

#include <cstddef>
#include <vector>

#include "aggregators/kernels/small_matrix.h"

namespace cairn::kernels {

struct LeastVariance {
  std::vector<std::size_t> subset;  // Ascending.
  double variance = 0;              // The largest eigenvalue of its covariance (divided by the size of the subset).
};

// All but `left_out` of the first `columns` columns, so that the largest eigenvalue of H K_S H / |S| is least, where
// K_S is the subset's part of `gram` and H = I - 1 1^T / |S|. Variances that differ by less than 1e-12 of themselves
// are equal, so that rounding decides nothing; of equal ones the lexicographically first subset is taken.
// Exact: subsets are tried in lexicographic order, and given up as soon as their first columns alone vary more than the
// best subset so far, which a Cholesky factor tells that grows column by column.
// At worst O(C(columns, left_out) (columns - left_out)^3). REQUIRES: left_out < columns.
LeastVariance FindLeastVariance(const SmallMatrix& gram, std::size_t columns, std::size_t left_out);

}  // namespace cairn::kernels
