// Eigenvalues and eigenvectors of a small symmetric matrix.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "aggregators/kernels/small_matrix.h"

namespace cairn::kernels {

struct Eigen {
  std::vector<double> values;  // Ascending.
  SmallMatrix vectors;         // Column j belongs to values[j]; orthonormal.
};

// Only the lower triangle is read. Values of any size do: they are scaled by a power of 2 first; an eigenvalue beyond
// float64 is infinite. INVALID_ARGUMENT: not square, or a value that is not finite, which must never reach
// the library. RESOURCE_EXHAUSTED, INTERNAL: the library's errors. The same input gives the same bits with the same
// library and number of threads.
absl::StatusOr<Eigen> SymmetricEigen(const SmallMatrix& matrix);

}  // namespace cairn::kernels
