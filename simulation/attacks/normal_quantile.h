// The inverse of the normal distribution function.
#pragma once

namespace cairn::attacks {

// x with P(X <= x) = probability for a standard normal X. REQUIRES 0 < probability < 1. Exact to 1e-12 or so between
// 1e-12 and 1 - 1e-12.
double NormalQuantile(double probability);

}  // namespace cairn::attacks
