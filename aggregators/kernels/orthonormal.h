// The factors of a product in a basis of their own. (B M, M^-1 A) is the same product for every M, and inner products
// of factors lose as many digits as the factors are larger than it.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "aggregators/kernels/factor_pair.h"

namespace cairn::kernels {

struct OrthonormalFactors {
  std::vector<double> a, b;  // Row-major, [rank, d_in] and [d_out, rank]; the columns of b are orthonormal.
  std::int64_t rank = 0;     // At most that of the factors, d_out and d_in.
};

// The product B A from factors without cancellation: an error of about 1e-15 ||B A||, as long as ||B|| ||A|| is below
// about 1e12 ||B A||. Time 2 rank^2 (d_in + d_out) multiplications in twice the precision of float64. A product that
// overflows gives values that are not finite. REQUIRES: factors.IsWhole(), and finite. Errors: the library's.
absl::StatusOr<OrthonormalFactors> Orthonormalized(const FactorPair<double>& factors);

}  // namespace cairn::kernels
