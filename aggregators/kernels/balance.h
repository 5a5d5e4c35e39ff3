// Rank units brought to a common size, so that float32 neither overflows nor loses a unit for the way in which its
// owner split it between the factors: (c b, a / c) is the same unit.
#pragma once

#include <cstdint>
#include <vector>

#include "aggregators/kernels/factor_pair.h"

namespace cairn::kernels {

// A product as 2^exponent * b * a, where both factors of every unit have about the same norm, and those of the largest
// are about 1. Only powers of two were multiplied, so that no value was rounded (but for those that got too small for
// T). A unit whose product is zero has factors 0.
template <typename T>
struct Balanced {
  std::vector<T> a, b;  // Row-major, [rank, d_in] and [d_out, rank].
  int exponent = 0;
  bool finite = true;  // False: a value is not finite or beyond 2^500. The factors mean nothing then.
  bool zero = true;    // Every unit is zero.
};

// REQUIRES: in.IsWhole().
template <typename T>
Balanced<T> Balance(const FactorPair<T>& in);

}  // namespace cairn::kernels
