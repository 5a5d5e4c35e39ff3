// A matrix by its singular values and vectors, and what a cut keeps of it: the end of every way to a low rank.
#pragma once

// clang 14 reads ATen.h only after this one.
// clang-format off
#include <ATen/core/ivalue.h>
#include <ATen/ATen.h>
// clang-format on

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "aggregators/kernels/recompress.h"

namespace cairn::kernels {

// M = left diag(values) right^T + what is orthogonal to both, of squared norm `rest`. In float64; the values on the
// CPU, descending. There may be more values than vectors.
struct Spectrum {
  at::Tensor left, right;
  std::vector<double> values;
  double rest = 0;
};

std::vector<double> ToVector(const at::Tensor& tensor);

// Of values from `first` on, the smallest first.
double SumOfSquares(const std::vector<double>& values, std::size_t first);

// INVALID_ARGUMENT unless the cut has a rank of 1 or more or an energy in (0, 1].
absl::Status CheckCut(const Cut& cut);

// The rank that `cut` means; more than there are values when these do not hold enough of the norm.
std::int64_t RankFor(const Spectrum& spectrum, const Cut& cut);

// 2^exponent M, cut: both factors with the roots of the values, and one sign for each unit.
// REQUIRES: as many vectors as RankFor says.
LowRank CutTo(const Spectrum& spectrum, const Cut& cut, int exponent);

LowRank ZeroLowRank(std::int64_t d_out, std::int64_t d_in);

}  // namespace cairn::kernels
