// Norms and inner products of products B A of many rank units, whose factors are read a few rows at a time and never
// stand in memory whole. All sums are in float64.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace cairn::kernels {

// A [rank, d_in] and B [d_out, rank], row-major. `a` and `b` give rows [first, first + rows.size() / width) and are
// called again for the same rows; all dimensions are 1 or more.
struct StreamedFactors {
  using ReadRows = std::function<void(std::int64_t first, absl::Span<double> rows)>;
  std::int64_t d_out = 0, rank = 0, d_in = 0;
  ReadRows a, b;
};

struct PartProducts {
  // Frobenius inner products of the parts, [parts, parts] row-major, symmetric: rounded by about 1e-15 * magnitude.
  std::vector<double> inner;
  double magnitude = 0;  // The square of the sum of ||b_k|| ||a_k|| over units k.
};

// Of the parts of a product: part p has the units [starts[p], starts[p + 1]). REQUIRES: starts ascend from 0 to
// units.rank. Time (d_in + d_out) rank^2; memory 50 MB, or one row of a factor where that is more.
// Values that are not finite give a magnitude that is not. RESOURCE_EXHAUSTED, INTERNAL: the library's errors.
absl::StatusOr<PartProducts> InnerProducts(const StreamedFactors& units, absl::Span<const std::int64_t> starts);

// ||B A||^2, by forming the product a few rows at a time: nothing is lost when units cancel each other. Time
// d_in d_out rank; memory and errors as above.
absl::StatusOr<double> SquaredNorm(const StreamedFactors& units);

}  // namespace cairn::kernels
