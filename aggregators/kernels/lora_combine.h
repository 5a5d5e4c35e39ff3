// The arithmetic of combining LoRA factors: pure functions on row-major float32 blocks.
//
// A factor B [d_out, r] is written or added as a block of columns of a wider matrix; a factor A [r, d_in] as a run of
// whole rows, which is a flat copy or sum. Coefficients are float64 and are applied once, before the result is rounded.
#pragma once

#include <cstdint>

#include "absl/types/span.h"

namespace cairn::kernels {

// A run of whole rows of a matrix that is `columns` wide, to go to columns [at, at + columns) of one that is `width`
// wide.
struct ColumnBlock {
  std::int64_t columns = 0;
  std::int64_t width = 0;
  std::int64_t at = 0;
};

// out[i, at + j] = float(factor * in[i, j]). `in` holds n x columns elements, `out` n x width; others of `out` stay.
void ScaleIntoColumns(absl::Span<const float> in, const ColumnBlock& block, double factor, absl::Span<float> out);

// sum[i, at + j] += factor * in[i, j], in float64. Sizes as above.
void AddToColumns(absl::Span<const float> in, const ColumnBlock& block, double factor, absl::Span<double> sum);

// sum[i] += factor * in[i], in float64. Same sizes.
void AddScaled(absl::Span<const float> in, double factor, absl::Span<double> sum);

// out[i] = float(in[i]), to nearest even. Same sizes.
void RoundToFloat(absl::Span<const double> in, absl::Span<float> out);

}  // namespace cairn::kernels
