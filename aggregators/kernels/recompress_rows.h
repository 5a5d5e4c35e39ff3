// The best approximation of lower rank of a matrix that is given row by row and has no factors: what a coordinate-wise
// rule makes of products. The matrix never stands in memory whole.
//
// Randomised subspace iteration on the right singular space (Halko, Martinsson, Tropp, arXiv 0909.4061) in passes over
// blocks of rows: each pass reads every row once. All in float64.
#pragma once

#include <cstdint>
#include <functional>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "aggregators/kernels/recompress.h"

namespace cairn::kernels {

// A matrix [rows, columns]. `read` gives rows [first, first + out.size() / columns) and is called again for the same
// rows, always with the same values.
struct MatrixRows {
  std::int64_t rows = 0, columns = 0;
  std::function<absl::Status(std::int64_t first, absl::Span<double> out)> read;
};

// As Recompress: factors balanced, units in descending order of singular values; error and norm are measured. Memory:
// (rows + columns) * (rank + 16) numbers and a block of rows of 16 MiB.
// INVALID_ARGUMENT: dimensions, the cut. OUT_OF_RANGE: a value that is not finite. Else the reader's error, or the
// library's (RESOURCE_EXHAUSTED, INTERNAL).
absl::StatusOr<LowRank> RecompressRows(const MatrixRows& matrix, const Cut& cut);

}  // namespace cairn::kernels
