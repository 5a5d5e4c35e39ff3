// The span of the columns of a Gram matrix, with coordinates: there a method that is defined on vectors of any length
// runs on vectors no longer than there are columns.
#pragma once

#include <cstddef>
#include <vector>

#include "absl/status/statusor.h"
#include "aggregators/kernels/small_matrix.h"

namespace cairn {

// Of the columns that are not zero, in ascending order; i counts those only. With K^ = U L U^T the inner products of
// the columns at length 1, the vectors q_k = sum of U_ik / sqrt(L_k) x_i / ||x_i|| are orthonormal and
// x_i / ||x_i|| = sum of U_ik sqrt(L_k) q_k.
struct ColumnSpan {
  std::vector<std::size_t> columns;   // Which they are.
  std::vector<double> norms;          // ||x_i||
  kernels::SmallMatrix coordinates;   // [i, k], of x_i / ||x_i||: rows have length 1.
  kernels::SmallMatrix combinations;  // [i, k]: what of x_i / ||x_i|| is in q_k.
  double noise = 0;  // Squared lengths below this, of combinations of columns of length 1, are rounding.
};

// Eigenvalues below 8 n u of the largest (u = 2^-53) are rounding and have no q_k: columns that differ by less than
// some 1e-7 of their norms are one. Columns shorter than 1e-250 of the longest are zero. Errors: those of
// kernels::SymmetricEigen.
absl::StatusOr<ColumnSpan> SpanOf(const kernels::SmallMatrix& gram);

// How many of a symmetric matrix's eigenvalues, in ascending order, are not rounding.
std::size_t CountAboveRounding(const std::vector<double>& eigenvalues, std::size_t n);

}  // namespace cairn
