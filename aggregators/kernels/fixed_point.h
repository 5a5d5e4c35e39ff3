// Sums of float values as int64 in fixed point: partial sums merge in any order and shape to the same bits, which
// floating-point sums do not.
//
// Every term c * x is rounded once to a multiple of 2^-fraction_bits, so the sum of k terms is off by at most
// k * 2^-(fraction_bits + 1). With ScaleFor(m) that is at most k * m * 2^-62 for terms whose magnitudes sum to m or
// less: 30 bits below what float32 can show.
#pragma once

#include <cstdint>

#include "absl/types/span.h"

namespace cairn::kernels {

// Bits after the point with which sums of total magnitude up to `bound` fit int64: the same for all who take part in
// one sum. `bound` finite and >= 0.
int FractionBits(double bound);

// sum[i] += round(factor * in[i] * 2^fraction_bits). Same sizes. REQUIRES: no sum leaves int64 (see FractionBits).
void AddFixed(absl::Span<const float> in, double factor, int fraction_bits, absl::Span<std::int64_t> sum);
void AddFixed(absl::Span<const double> in, double factor, int fraction_bits, absl::Span<std::int64_t> sum);

// out[i] = sum[i] * 2^-fraction_bits, rounded to nearest even.
void FromFixed(absl::Span<const std::int64_t> sum, int fraction_bits, absl::Span<float> out);
void FromFixed(absl::Span<const std::int64_t> sum, int fraction_bits, absl::Span<double> out);

}  // namespace cairn::kernels
