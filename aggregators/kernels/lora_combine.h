// The arithmetic of combining LoRA factors: pure functions on row-major blocks.
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

// values[i] *= factor, computed in float64 and rounded to nearest even.
void Scale(double factor, absl::Span<float> values);
void Scale(double factor, absl::Span<double> values);

// out[i, at + j] = factor * in[i, j], computed in float64 and rounded to nearest even. `in` holds n x columns elements,
// `out` n x width; others of `out` stay.
void ScaleIntoColumns(absl::Span<const float> in, const ColumnBlock& block, double factor, absl::Span<float> out);
void ScaleIntoColumns(absl::Span<const double> in, const ColumnBlock& block, double factor, absl::Span<double> out);

}  // namespace cairn::kernels
