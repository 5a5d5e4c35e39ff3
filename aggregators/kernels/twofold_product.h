// Matrix products in twice the precision of float64, for terms that cancel each other almost entirely.
#pragma once

#include <cstddef>
#include <vector>

#include "absl/types/span.h"

namespace cairn::kernels {

// The unevaluated sum high + low, row-major; |low| is at most half a unit in the last place of high.
struct Twofold {
  std::vector<double> high, low;
};

// left [rows, inner] * right [inner, columns], with an error of about 1e-31 of the sum of the terms' magnitudes.
// (Error-free sums and products: Ogita, Rump and Oishi, "Accurate sum and dot product", SIAM J. Sci. Comput. 26, 2005.)
// REQUIRES: neither inner nor columns is 0.
Twofold TwofoldProduct(absl::Span<const double> left, const Twofold& right, std::size_t inner, std::size_t columns);

}  // namespace cairn::kernels
