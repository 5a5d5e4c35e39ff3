// What the rank units of a product are, beside the product itself.
#pragma once

#include "aggregators/kernels/factor_pair.h"

namespace cairn::kernels {

struct UnitSums {
  double squared_norm = 0;  // ||B A||_F^2, from inner products of units: rounded by about 1e-16 * magnitude.
  double magnitude = 0;     // The square of the sum of ||b_k|| ||a_k|| over units k: what may have cancelled.
};

// Time rank^2 (d_in + d_out) / 2. The same bits on every processor. REQUIRES: factors.IsWhole().
UnitSums UnitSumsOf(const FactorPair<double>& factors);

}  // namespace cairn::kernels
