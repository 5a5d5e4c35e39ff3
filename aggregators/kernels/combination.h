// Geometry of combinations z = sum of w_j x_j of columns, through the inner products of the columns alone.
#pragma once

#include <cstddef>
#include <vector>

#include "absl/types/span.h"
#include "aggregators/kernels/small_matrix.h"

namespace cairn::kernels {

// <x_i, z> for every column: K w. `gram` is symmetric.
std::vector<double> InnerProductsWith(const SmallMatrix& gram, absl::Span<const double> weights);

// With one more column, of zeros, behind the others. A combination of any weights is then one whose weights sum to 1.
SmallMatrix WithZeroColumn(const SmallMatrix& gram);

// <x_i - x_b, x_j - x_b>, where x_b is the column with the least sum of distances to the others (of equals the first).
// Nothing changes for combinations whose weights sum to 1, but the numbers are as large as the columns' distances, not
// as the columns, and those of a majority that is close together stay small beside far outliers: less cancels.
SmallMatrix FromMedoid(const SmallMatrix& gram);

// ||x_i - z||: from r_i^2 = K_ii - 2 (K w)_i + w^T K w; 0 where rounding leaves less.
std::vector<double> DistancesFrom(const SmallMatrix& gram, absl::Span<const double> weights);

// <x_i - z, x_j - z>.
SmallMatrix Centred(const SmallMatrix& gram, absl::Span<const double> weights);

// Of the angle between columns i and j, within [-1, 1]; 0 where one of them is zero.
double Cosine(const SmallMatrix& gram, std::size_t i, std::size_t j);

}  // namespace cairn::kernels
