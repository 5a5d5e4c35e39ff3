#include "aggregators/kernels/symmetric_eigen.h"

// clang 14 reads ATen.h only after this one.
// clang-format off
#include <ATen/core/ivalue.h>
#include <ATen/ATen.h>
// clang-format on

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "aggregators/kernels/torch_status.h"

namespace cairn::kernels {
namespace {

using at::Tensor;

// The binary exponent of the largest value: the library squares values, and 1e-60 to the fourth is 0. No exponent where
// all are 0.
absl::StatusOr<int> ExponentOf(const SmallMatrix& matrix) {
  double largest = 0;
  for (std::size_t i = 0; i < matrix.rows; ++i) {
    for (std::size_t j = 0; j <= i; ++j) {
      const double value = matrix.at(i, j);
      if (!std::isfinite(value)) {
        return absl::InvalidArgumentError(
            absl::StrCat("eigenvalues: expected finite values, got ", value, " at (", i, ", ", j, ")"));
      }
      largest = std::max(largest, std::abs(value));
    }
  }
  int exponent = 0;
  std::frexp(largest, &exponent);
  return exponent;
}

// The lower triangle times 2^exponent, and zeros.
std::vector<double> ScaledTriangle(const SmallMatrix& matrix, int exponent) {
  std::vector<double> out(matrix.values.size());
  for (std::size_t i = 0; i < matrix.rows; ++i) {
    for (std::size_t j = 0; j <= i; ++j) out[i * matrix.columns + j] = std::ldexp(matrix.at(i, j), exponent);
  }
  return out;
}

std::vector<double> Scaled(const double* values, std::size_t count, int exponent) {
  std::vector<double> out(values, values + count);
  for (double& value : out) value = std::ldexp(value, exponent);
  return out;
}

}  // namespace

absl::StatusOr<Eigen> SymmetricEigen(const SmallMatrix& matrix) {
  const std::size_t n = matrix.rows;
  if (matrix.columns != n || matrix.values.size() != n * n) {
    return absl::InvalidArgumentError(absl::StrCat("eigenvalues: expected a square matrix, got ", n, " x ",
                                                   matrix.columns, " with ", matrix.values.size(), " values"));
  }
  const absl::StatusOr<int> exponent = ExponentOf(matrix);
  if (!exponent.ok()) return exponent.status();
  return CatchTorch("eigenvalues", [&]() -> absl::StatusOr<Eigen> {
    const c10::InferenceMode inference;
    std::vector<double> scaled = ScaledTriangle(matrix, -*exponent);
    const auto size = static_cast<std::int64_t>(n);
    const Tensor input = at::from_blob(scaled.data(), {size, size}, at::kDouble);
    const auto [values, vectors] = at::linalg_eigh(input, "L");
    const Tensor columns = vectors.contiguous();
    const auto* first = columns.data_ptr<double>();
    return Eigen{Scaled(values.data_ptr<double>(), n, *exponent), {n, n, {first, first + n * n}}};
  });
}

}  // namespace cairn::kernels
