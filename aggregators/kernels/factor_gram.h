// Inner products of products B A of many rank units, from the factors alone:
// <B_i A_i, B_j A_j>_F = sum of (B_i^T B_j) o (A_i A_j^T), for all pairs of parts at once.
#pragma once

#include <cstdint>
#include <functional>
#include <numeric>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace cairn::kernels {

// Unit k is row k of A [rank, d_in] and column k of B [d_out, rank]. `a` and `b` give these vectors of the units
// [first, first + units.size() / d), one after the other; they are called again for the same ones, on the
// caller's thread. They must not use libtorch's: those go on looking for work for a while, and take the processors from
// the products that follow. All
// dimensions are 1 or more.
struct UnitFactors {
  using ReadUnits = std::function<absl::Status(std::int64_t first, absl::Span<double> units)>;
  std::int64_t d_out = 0, rank = 0, d_in = 0;
  ReadUnits a, b;
  std::int64_t panel = 1 << 24;  // Values of units of both factors that are read at a time: 128 MiB.
};

struct PartProducts {
  // Frobenius inner products of the parts, [parts, parts] row-major, symmetric: rounded by about 1e-15 * magnitude.
  std::vector<double> inner;
  std::vector<double> norms;  // By part, the sum of ||b_k|| ||a_k|| over its units k: what may have cancelled.
  double magnitude() const {  // The square of their sum.
    const double sum = std::accumulate(norms.begin(), norms.end(), 0.0);
    return sum * sum;
  }
};

// Of the parts of a product: part p has the units [starts[p], starts[p + 1]). REQUIRES: starts ascend from 0 to
// units.rank. Time (d_in + d_out) rank^2 / 2; memory 2 panels, or of one unit where that is more.
// Values that are not finite give norms that are not, and show in the inner products of their own part only.
// `units`' errors; RESOURCE_EXHAUSTED, INTERNAL: the library's.
absl::StatusOr<PartProducts> InnerProducts(const UnitFactors& units, absl::Span<const std::int64_t> starts);

}  // namespace cairn::kernels
