// The best approximation of lower rank of a matrix that is given row by row and has no factors: what a coordinate-wise
// rule makes of products. The matrix never stands in memory whole, unless a rank near its own is asked for.
//
// Randomised subspace iteration on the right singular space (Halko, Martinsson, Tropp, arXiv 0909.4061; oversample of
// half the rank, at least 16; two power iterations) in three passes over blocks of rows, each of which reads every row
// once. Its error is within 1.01 of the best one on spectra that fall. Where the rank and the oversample are more than
// half of the smallest dimension, that would take as long as an exact decomposition and hold as much as the matrix:
// then one pass reads it whole, and the result is exact. All in float64.
#pragma once

#include <cstdint>
#include <functional>

#include "absl/status/status.h"
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

// As Recompress: factors balanced, units in descending order of singular values; error and norm are measured. A cut by
// energy starts anew with twice the rank until it holds the energy. Memory: 3 (rows + columns) (rank + oversample)
// numbers and a block of rows of 16 MiB.
// INVALID_ARGUMENT: dimensions, the cut. OUT_OF_RANGE: a value that is not finite, or beyond 2^300. Else the reader's
// error, or the library's (RESOURCE_EXHAUSTED, INTERNAL).
absl::StatusOr<LowRank> RecompressRows(const MatrixRows& matrix, const Cut& cut);

}  // namespace cairn::kernels
