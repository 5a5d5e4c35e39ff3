// Sums of floating-point values as int64 in fixed point: partial sums merge in any order and shape to the same bits,
// which floating-point sums do not.
//
// Every term c * x is rounded to a multiple of 2^-fraction_bits, so a sum of k terms is off by at most
// k * 2^-(fraction_bits + 1). With FractionBits(bound) that is k * bound * 2^-50: for float32 data of one magnitude,
// 26 bits below its own resolution. The error is relative to the greatest magnitudes of the tensor: values 2^50 times
// smaller vanish in the sum.
#pragma once

#include <cstdint>

#include "absl/types/span.h"
#include "aggregators/kernels/lora_combine.h"

namespace cairn::kernels {

// Bits after the point for terms whose magnitudes sum to `bound` or less: the same for all who take part in one sum.
// `bound` finite and >= 0.
int FractionBits(double bound);

// sum[i, at + j] += round(factor * in[i, j] * 2^fraction_bits), to nearest even. Sizes as in ScaleIntoColumns.
// REQUIRES: magnitudes within the bound of FractionBits.
void AddFixed(absl::Span<const float> in, const ColumnBlock& block, double factor, int fraction_bits,
              absl::Span<std::int64_t> sum);
void AddFixed(absl::Span<const double> in, const ColumnBlock& block, double factor, int fraction_bits,
              absl::Span<std::int64_t> sum);

// out[i] = sum[i] * 2^-fraction_bits, rounded to nearest even. Same sizes.
void FromFixed(absl::Span<const std::int64_t> sum, int fraction_bits, absl::Span<float> out);
void FromFixed(absl::Span<const std::int64_t> sum, int fraction_bits, absl::Span<double> out);

}  // namespace cairn::kernels
