// Norms and inner products of products B * A, from the factors and accurate in float64: however ill-conditioned the
// factors are, rounding is about 1e-15 of the sum over rank units of ||b_k|| ||a_k||. The product is never formed.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "aggregators/kernels/factor_pair.h"

namespace cairn::kernels {

// scale * B * A.
struct ScaledProduct {
  double scale = 1;
  FactorPair<double> factors;
};

// All of them: INVALID_ARGUMENT for sizes that do not fit together, no product, or a value that is not finite (or
// beyond 2^500); INTERNAL for the library's error.

// ||sum of scale_i B_i A_i|| in Frobenius norm, by QR of the A_i on top of each other: a difference of nearly equal
// products (negative scales) keeps its digits. Time (d_in + d_out) R^2 for R = the sum of ranks.
absl::StatusOr<double> NormOfSum(absl::Span<const ScaledProduct> products);
absl::StatusOr<double> NormOf(const ScaledProduct& product);

// B^T B + A A^T, [rank, rank] row-major: the inner products of the rank units as vectors (b_k, a_k). `units` has
// values as they are to be compared; nothing is balanced here.
absl::StatusOr<std::vector<double>> UnitInnerProducts(const FactorPair<double>& units);

}  // namespace cairn::kernels
