// The subspace of the Flag Aggregator (Almasi, Mishra, Vamanan, Ravi, arXiv 2302.05865): of few dimensions, and yet
// most of each update is in it, as a direction, and most of each difference of two updates.
//
// Of the updates x_1..x_n let x^_i = x_i / ||x_i|| and d^_ij = (x_i - x_j) / ||x_i - x_j||. The paper minimises
//   sum of sqrt(1 - ||Y^T x^_i||^2) + lambda / (n - 1) * sum over i != j of sqrt(1 - ||Y^T d^_ij||^2)
// over Y with m orthonormal columns. sqrt(1 - v + epsilon) is concave: it lies below its tangent at the present v,
// whose slope is -w / 2 with w = (1 - v + epsilon)^(-1/2). The sum of the tangents is least at the top m eigenvectors
// of
//   C = sum of w_i x^_i x^_i^T + lambda / (n - 1) * sum over i != j of w_ij d^_ij d^_ij^T.
// So a step to those never raises the objective; the w are taken anew, until they stay. At first all w are equal.
//
// All of that happens in the span of the x_i. With X^ = Q R, Q orthonormal (aggregators/column_span.h), the n^2 vectors
// collapse: C = Q (R M R^T) Q^T, where M = diag(w_i) + sum over i < j of c_ij e_ij e_ij^T is [n, n]. Here
// e_ij = p e_i - q e_j with p : q = ||x_i|| : ||x_j||, and c_ij = 2 lambda / (n - 1) * w_ij / ||p x^_i - q x^_j||^2.
// R M R^T has the eigenvalues of M^(1/2) R^T R M^(1/2) and saves the root of M, which is large of nearly equal updates.
//
// The authors' published program differs: it takes the differences of the x^_i, p = q = 1, at the length they have; its
// c_ij are 2 (lambda / (n (n - 1)))^2 * w_ij. Such differences may be longer than 1; w is then |1 - v +
// epsilon|^(-1/2), and steps with a large lambda need not settle. (It starts at random; here it does not.)
#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/status/statusor.h"
#include "aggregators/column_span.h"
#include "aggregators/kernels/small_matrix.h"

namespace cairn {

struct FlagOptions {
  bool paper = true;           // Or as the published program.
  std::size_t clients = 1;     // n, with those whose updates are zero.
  std::size_t dimensions = 1;  // m
  double lambda = 0;
  double epsilon = 1e-7;
  std::int64_t iterations = 5;  // At most.
};

// Y, in the coordinates of the span: [rank, m], or fewer columns where C has fewer eigenvalues that are not rounding.
// Unique unless the eigenvalues m and m + 1 are equal, as those of orthogonal updates are. Pairs of equal updates are
// left out. Errors: those of kernels::SymmetricEigen.
absl::StatusOr<kernels::SmallMatrix> FlagSubspace(const ColumnSpan& span, const FlagOptions& options);

}  // namespace cairn
