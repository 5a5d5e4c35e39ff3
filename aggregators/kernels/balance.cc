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
  for (std::size_t i = 0; i < rows; ++i) norms[i] = std::sqrt(SumOfSquares(in.data() + i * columns, columns));
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

bool AllFinite(const std::vector<double>& norms) {
  return std::all_of(norms.begin(), norms.end(), [](double norm) { return std::isfinite(norm); });
}

// By unit, powers of two or 0.
struct Scales {
  std::vector<double> a, b;
};

Scales ScalesFor(const std::vector<double>& a_norms, const std::vector<double>& b_norms, int largest) {
  const std::size_t rank = a_norms.size();
  Scales scales{std::vector<double>(rank), std::vector<double>(rank)};
  for (std::size_t k = 0; k < rank; ++k) {
    if (a_norms[k] == 0 || b_norms[k] == 0) continue;
    const int of_a = std::ilogb(a_norms[k]), of_b = std::ilogb(b_norms[k]);
    const int shift = (of_a + of_b - largest) / 2 - of_b;  // b gets half of what the unit is below the largest.
    scales.b[k] = std::ldexp(1, shift);
    scales.a[k] = std::ldexp(1, -largest - shift);
  }
  return scales;
}

}  // namespace

template <typename T>
Balanced<T> Balance(const FactorPair<T>& in) {
  const std::vector<double> a_norms = RowNorms(in.a, in.rank), b_norms = ColumnNorms(in.b, in.rank);
  Balanced<T> out;
  out.finite = AllFinite(a_norms) && AllFinite(b_norms);
  if (!out.finite) return out;
  int largest = INT_MIN;
  for (std::int64_t k = 0; k < in.rank; ++k) {
    if (a_norms[k] == 0 || b_norms[k] == 0) continue;
    largest = std::max(largest, std::ilogb(a_norms[k]) + std::ilogb(b_norms[k]));
  }
  out.zero = largest == INT_MIN;
  out.exponent = out.zero ? 0 : largest;
  const Scales scales = ScalesFor(a_norms, b_norms, out.exponent);
  out.a.resize(in.a.size());
  out.b.resize(in.b.size());
  for (std::int64_t k = 0, at = 0; k < in.rank; ++k) {
    for (std::int64_t j = 0; j < in.d_in; ++j, ++at) out.a[at] = static_cast<T>(scales.a[k] * in.a[at]);
  }
  const double* columns = scales.b.data();
  for (std::int64_t i = 0; i < in.d_out; ++i) {
    const std::int64_t at = i * in.rank;
    for (std::int64_t k = 0; k < in.rank; ++k) out.b[at + k] = static_cast<T>(columns[k] * in.b[at + k]);
  }
  return out;
}

template Balanced<float> Balance(const FactorPair<float>&);
template Balanced<double> Balance(const FactorPair<double>&);

}  // namespace cairn::kernels
