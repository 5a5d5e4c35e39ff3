// Sums of vectors in float64, in the order in which they are added.
#pragma once

#include "absl/types/span.h"

namespace cairn::kernels {

// sum[i] += factor * in[i], each rounded once to float64: the same bits on every processor.
void AddScaled(double factor, absl::Span<const float> in, absl::Span<double> sum);
void AddScaled(double factor, absl::Span<const double> in, absl::Span<double> sum);

// Of two vectors of one length; every eighth term is added up, then the eight sums.
struct PairSums {
  double own = 0;    // ||x||^2
  double inner = 0;  // <x, y>
  double apart = 0;  // ||x - y||^2
};
// Of float32 numbers both: y is read often, and converted once.
PairSums PairSumsOf(absl::Span<const float> x, absl::Span<const double> y);
PairSums PairSumsOf(absl::Span<const double> x, absl::Span<const double> y);

}  // namespace cairn::kernels
