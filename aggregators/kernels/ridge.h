// The factor B that, with a given A, comes nearest to a sum of products (Bian et al., LoRA-FAIR, arXiv 2411.14961, in
// closed form).
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "aggregators/kernels/product.h"

namespace cairn::kernels {

// B [d_out, rank], row-major, that minimises ||sum of targets - B A||^2 + lambda ||B - B_0||^2 for the factors A and
// B_0 of `start`:
//   B = B_0 + (sum of targets - B_0 A) A^T (A A^T + lambda I)^-1,
// through the small matrices A_i A^T, in float64. lambda > 0.
// INVALID_ARGUMENT: sizes that do not fit. INTERNAL: the library's error.
absl::StatusOr<std::vector<double>> NearestB(absl::Span<const ScaledProduct> targets, const FactorPair<double>& start,
                                             double lambda);

}  // namespace cairn::kernels
