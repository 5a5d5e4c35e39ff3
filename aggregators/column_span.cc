#include "aggregators/column_span.h"

#include <algorithm>
#include <cmath>

#include "aggregators/kernels/combination.h"
#include "aggregators/kernels/symmetric_eigen.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

using kernels::SmallMatrix;

constexpr double kShortest = 1e-250;  // Of the longest column: the quotient of two norms is then finite.

double Rounding(double largest, std::size_t n) { return 8 * static_cast<double>(n) * 0x1p-53 * largest; }

// <x_i, x_j> / (||x_i|| ||x_j||) of the chosen columns.
SmallMatrix CosinesOf(const SmallMatrix& gram, const std::vector<std::size_t>& columns) {
  SmallMatrix out = SmallMatrix::Zero(columns.size(), columns.size());
  for (std::size_t i = 0; i < columns.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) out.at(i, j) = out.at(j, i) = kernels::Cosine(gram, columns[i], columns[j]);
    out.at(i, i) = 1;
  }
  return out;
}

}  // namespace

std::size_t CountAboveRounding(const std::vector<double>& eigenvalues, std::size_t n) {
  if (eigenvalues.empty()) return 0;
  const double noise = Rounding(std::max(0.0, eigenvalues.back()), n);
  const auto first = std::upper_bound(eigenvalues.begin(), eigenvalues.end(), noise);
  return static_cast<std::size_t>(eigenvalues.end() - first);
}

absl::StatusOr<ColumnSpan> SpanOf(const SmallMatrix& gram) {
  std::vector<double> norms(gram.rows);
  for (std::size_t i = 0; i < gram.rows; ++i) norms[i] = std::sqrt(std::max(0.0, gram.at(i, i)));
  const double longest = *std::max_element(norms.begin(), norms.end());
  ColumnSpan span;
  for (std::size_t i = 0; i < gram.rows; ++i) {
    if (!(norms[i] > kShortest * longest)) continue;
    span.columns.push_back(i);
    span.norms.push_back(norms[i]);
  }
  CAIRN_ASSIGN_OR_RETURN(const kernels::Eigen eigen, kernels::SymmetricEigen(CosinesOf(gram, span.columns)));
  const std::size_t count = span.columns.size(), rank = CountAboveRounding(eigen.values, gram.rows);
  span.noise = count > 0 ? Rounding(eigen.values.back(), gram.rows) : 0;
  span.coordinates = span.combinations = SmallMatrix::Zero(count, rank);
  for (std::size_t k = 0; k < rank; ++k) {
    const std::size_t column = count - 1 - k;  // The largest eigenvalue first.
    const double root = std::sqrt(eigen.values[column]);
    for (std::size_t i = 0; i < count; ++i) {
      span.coordinates.at(i, k) = eigen.vectors.at(i, column) * root;
      span.combinations.at(i, k) = eigen.vectors.at(i, column) / root;
    }
  }
  return span;
}

}  // namespace cairn
