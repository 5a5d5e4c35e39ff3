// The factors of a product B * A, as values in memory.
#pragma once

#include <cstdint>

#include "absl/types/span.h"

namespace cairn::kernels {

// Row-major: a [rank, d_in], b [d_out, rank]. Rank unit k is column k of b with row k of a.
template <typename T>
struct FactorPair {
  absl::Span<const T> a, b;
  std::int64_t d_out = 0, rank = 0, d_in = 0;

  // All dimensions are 1 or more and fit the sizes.
  bool IsWhole() const {
    return d_out > 0 && rank > 0 && d_in > 0 && static_cast<std::int64_t>(a.size()) == rank * d_in &&
           static_cast<std::int64_t>(b.size()) == d_out * rank;
  }
};

}  // namespace cairn::kernels
