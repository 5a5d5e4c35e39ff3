// The largest eigenvalue alone, of many small matrices: some microseconds each, where a library's full decomposition
// takes a multiple.
#pragma once

#include "aggregators/kernels/small_matrix.h"

namespace cairn::kernels {

// The largest eigenvalue of a symmetric matrix, with an error of some 1e-15 times the largest absolute value of all
// eigenvalues. Householder's tridiagonal form, then bisection by Sturm's sequence (Golub and Van Loan, Matrix
// Computations, 8.3 and 8.4). No value is too large or too small to be squared: the matrix is scaled by a power of two
// first. 0 for a matrix without rows. O(n^3).
// REQUIRES: square, finite, both triangles filled.
double LargestEigenvalue(SmallMatrix matrix);

}  // namespace cairn::kernels
