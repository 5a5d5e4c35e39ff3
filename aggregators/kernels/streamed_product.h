// Products B A of many rank units, formed a few rows at a time from factors that are read a few rows at a time: neither
// stands in memory whole. All sums are in float64.
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

// Frobenius inner products of the parts of a product, [parts, parts] row-major, by forming the parts a few rows at a
// time: nothing is lost when units cancel each other. Part p has the units [starts[p], starts[p + 1]). REQUIRES: starts
// ascend from 0 to units.rank. Time d_in d_out (rank + parts^2); memory 40 MB, or one row of every part where that is
// more. RESOURCE_EXHAUSTED, INTERNAL: the library's errors.
absl::StatusOr<std::vector<double>> FormedInnerProducts(const StreamedFactors& units,
                                                        absl::Span<const std::int64_t> starts);

// Whether that takes fewer multiplications than InnerProducts of all pairs of units (kernels/factor_gram.h).
inline bool FewerWhenFormed(const StreamedFactors& units, std::size_t parts) {
  const auto rank = static_cast<double>(units.rank), d_in = static_cast<double>(units.d_in),
             d_out = static_cast<double>(units.d_out), pairs = static_cast<double>(parts * parts);
  return rank * rank * (d_in + d_out) / 2 > d_in * d_out * (rank + pairs);
}

}  // namespace cairn::kernels
