// A slow, obvious twin of the eigenvectors of symmetric matrices. For tests only.
#pragma once

#include <vector>

#include "aggregators/kernels/small_matrix.h"

namespace cairn::kernels::reference {

struct EigenPair {
  double value = 0;
  std::vector<double> vector;
};

// Descending by value, orthonormal, by rotating pairs of rows and columns until nothing is left beside the diagonal
// (Jacobi). Small values are exact to the rounding of the largest.
std::vector<EigenPair> EigenPairs(SmallMatrix matrix);

}  // namespace cairn::kernels::reference
