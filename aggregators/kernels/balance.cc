#include "aggregators/kernels/balance.h"

#include <algorithm>
#include <climits>
#include <cmath>
#include <cstddef>

namespace cairn::kernels {
namespace {

template <typename T>
double SumOfSquares(const T* values, std::size_t count) {
  double lanes[8] = {}, sum = 0;  // Sums that do not wait for each other.
  std::size_t i = 0;
  for (; i + 8 <= count; i += 8) {
    for (std::size_t lane = 0; lane < 8; ++lane) lanes[lane] += double{values[i + lane]} * double{values[i + lane]};
  }
  for (; i < count; ++i) sum += double{values[i]} * double{values[i]};
  for (const double lane : lanes) sum += lane;
  return sum;
}

template <typename T>
std::vector<double> RowNorms(absl::Span<const T> in, std::size_t rows) {
  const std::size_t columns = in.size() / rows;
  std::vector<double> norms(rows);
  for (std::size_t i = 0; i < rows; ++i) {
    norms[i] = std::sqrt(SumOfSquares(in.data() + i * columns, columns));
  }
  return norms;
}

template <typename T>
std::vector<double> ColumnNorms(absl::Span<const T> in, std::size_t columns) {
  std::vector<double> norms(columns);
  for (std::size_t at = 0; at < in.size(); at += columns) {
    for (std::size_t j = 0; j < columns; ++j) norms[j] += double{in[at + j]} * double{in[at + j]};
  }
  for (double& norm : norms) norm = std::sqrt(norm);
  return norms;
}

}  // namespace

template <typename T>
UnitScales BalanceUnits(absl::Span<const T> a, absl::Span<const T> b, std::int64_t rank) {
  const std::vector<double> a_norms = RowNorms(a, rank), b_norms = ColumnNorms(b, rank);
  UnitScales scales{std::vector<double>(rank), std::vector<double>(rank)};
  int largest = INT_MIN;
  for (std::int64_t k = 0; k < rank; ++k) {
    scales.finite = scales.finite && std::isfinite(a_norms[k]) && std::isfinite(b_norms[k]);
    if (!scales.finite) return scales;
    if (a_norms[k] == 0 || b_norms[k] == 0) continue;
    largest = std::max(largest, std::ilogb(a_norms[k]) + std::ilogb(b_norms[k]));
    scales.zero = false;
  }
  if (scales.zero) return scales;
  scales.exponent = largest;
  for (std::int64_t k = 0; k < rank; ++k) {
    if (a_norms[k] == 0 || b_norms[k] == 0) continue;
    const int of_a = std::ilogb(a_norms[k]), of_b = std::ilogb(b_norms[k]);
    const int shift = (of_a + of_b - largest) / 2 - of_b;  // Brings b to half of what the unit is below the largest.
    scales.b[k] = std::ldexp(1, shift);
    scales.a[k] = std::ldexp(1, -largest - shift);
  }
  return scales;
}

template <typename T>
void ScaleRows(absl::Span<const T> in, const std::vector<double>& scales, T* out) {
  const std::size_t columns = in.size() / scales.size();
  for (std::size_t i = 0; i < scales.size(); ++i) {
    const std::size_t at = i * columns;
    for (std::size_t j = 0; j < columns; ++j) out[at + j] = static_cast<T>(scales[i] * in[at + j]);
  }
}

template <typename T>
void ScaleColumns(absl::Span<const T> in, const std::vector<double>& scales, T* out) {
  const std::size_t columns = scales.size();
  for (std::size_t at = 0; at < in.size(); at += columns) {
    for (std::size_t j = 0; j < columns; ++j) out[at + j] = static_cast<T>(scales[j] * in[at + j]);
  }
}

template UnitScales BalanceUnits(absl::Span<const float>, absl::Span<const float>, std::int64_t);
template UnitScales BalanceUnits(absl::Span<const double>, absl::Span<const double>, std::int64_t);
template void ScaleRows(absl::Span<const float>, const std::vector<double>&, float*);
template void ScaleRows(absl::Span<const double>, const std::vector<double>&, double*);
template void ScaleColumns(absl::Span<const float>, const std::vector<double>&, float*);
template void ScaleColumns(absl::Span<const double>, const std::vector<double>&, double*);

}  // namespace cairn::kernels
