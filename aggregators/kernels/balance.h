// Rank units brought to a common size, so that float32 neither overflows nor loses a unit for the way in which its
// owner split it between the factors.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/types/span.h"

namespace cairn::kernels {

// Unit k of a product B * A: column k of b and row k of a. Powers of two, so that multiplying by them is exact: with
// b_k * b[k] and a_k * a[k], both columns and rows have about the same norm, and the largest unit is about 1.
// The product is then 2^exponent times smaller. A unit whose product is zero gets factors 0.
struct UnitScales {
  std::vector<double> a, b;  // [rank]
  int exponent = 0;
  bool finite = true;  // False: some value is NaN or infinite, and the scales mean nothing.
  bool zero = true;    // The whole product is zero, unit by unit.
};

// `a` [rank, d_in], `b` [d_out, rank], row-major. Values below 2^500, so that no square overflows.
template <typename T>
UnitScales BalanceUnits(absl::Span<const T> a, absl::Span<const T> b, std::int64_t rank);

// out = in with row k times scales[k]; in with column k times scales[k]. Sizes as above.
template <typename T>
void ScaleRows(absl::Span<const T> in, const std::vector<double>& scales, T* out);
template <typename T>
void ScaleColumns(absl::Span<const T> in, const std::vector<double>& scales, T* out);

}  // namespace cairn::kernels
