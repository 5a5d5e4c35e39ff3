#include "aggregators/flag_subspace.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "aggregators/kernels/small_product.h"
#include "aggregators/kernels/symmetric_eigen.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

using kernels::SmallMatrix;

constexpr double kConverged = 1e-10;  // Largest change of an ||Y^T x^_i||^2.

// The difference p x^_i - q x^_j, and the squared length that it counts as.
struct Pair {
  std::size_t i = 0, j = 0;
  double p = 1, q = 1, unit = 1;
};

// Of the rows' difference.
double SquaredLength(const SmallMatrix& rows, const Pair& pair) {
  double sum = 0;
  for (std::size_t k = 0; k < rows.columns; ++k) {
    const double difference = pair.p * rows.at(pair.i, k) - pair.q * rows.at(pair.j, k);
    sum += difference * difference;
  }
  return sum;
}

std::vector<Pair> PairsOf(const ColumnSpan& span, bool paper) {
  std::vector<Pair> pairs;
  for (std::size_t i = 0; i < span.columns.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      Pair pair{.i = i, .j = j};
      if (paper) {
        const double longer = std::max(span.norms[i], span.norms[j]);
        pair.p = span.norms[i] / longer;
        pair.q = span.norms[j] / longer;
        pair.unit = SquaredLength(span.coordinates, pair);
      }
      if (pair.unit > span.noise) pairs.push_back(pair);
    }
  }
  return pairs;
}

// What the w_ij of a pair is multiplied with, both orders together.
double PairFactor(const FlagOptions& options) {
  if (options.clients == 1) return 0;
  const auto n = static_cast<double>(options.clients);
  return 2 * (options.paper ? options.lambda / (n - 1) : std::pow(options.lambda / (n * (n - 1)), 2));
}

double WeightOf(double held, const FlagOptions& options) { return 1 / std::sqrt(std::abs(1 - held) + options.epsilon); }

// ||Y^T x^_i||^2, where Y^T x^_i is row i of `within`.
std::vector<double> Held(const SmallMatrix& within) {
  std::vector<double> held(within.rows);
  for (std::size_t i = 0; i < within.rows; ++i) held[i] = SquaredLength(within, {.i = i, .q = 0});
  return held;
}

// M, at the Y of `within`.
SmallMatrix WeightMatrix(const std::vector<Pair>& pairs, const SmallMatrix& within, const FlagOptions& options) {
  const std::size_t count = within.rows;
  const double factor = PairFactor(options);
  const auto zeros = static_cast<double>(options.clients - count);  // The difference from those is x_i itself.
  const std::vector<double> held = Held(within);
  SmallMatrix matrix = SmallMatrix::Zero(count, count);
  for (std::size_t i = 0; i < count; ++i) matrix.at(i, i) = WeightOf(held[i], options) * (1 + factor * zeros);
  for (const auto& [i, j, p, q, unit] : pairs) {
    const double c = factor * WeightOf(SquaredLength(within, {i, j, p, q}) / unit, options) / unit;
    matrix.at(i, i) += c * p * p;
    matrix.at(j, j) += c * q * q;
    matrix.at(i, j) = matrix.at(j, i) = -c * p * q;
  }
  return matrix;
}

// The top eigenvectors, as columns.
absl::StatusOr<SmallMatrix> Top(const SmallMatrix& matrix, const FlagOptions& options) {
  CAIRN_ASSIGN_OR_RETURN(const kernels::Eigen eigen, kernels::SymmetricEigen(matrix));
  const std::size_t kept = std::min(options.dimensions, CountAboveRounding(eigen.values, options.clients));
  SmallMatrix top = SmallMatrix::Zero(matrix.rows, kept);
  for (std::size_t i = 0; i < top.rows; ++i) {
    for (std::size_t k = 0; k < kept; ++k) top.at(i, k) = eigen.vectors.at(i, matrix.rows - 1 - k);
  }
  return top;
}

bool Settled(const std::vector<double>& before, const std::vector<double>& after) {
  for (std::size_t i = 0; i < before.size(); ++i) {
    if (!(std::abs(after[i] - before[i]) <= kConverged)) return false;
  }
  return true;
}

}  // namespace

absl::StatusOr<SmallMatrix> FlagSubspace(const ColumnSpan& span, const FlagOptions& options) {
  std::vector<Pair> pairs;
  if (PairFactor(options) > 0) pairs = PairsOf(span, options.paper);
  SmallMatrix subspace, within = SmallMatrix::Zero(span.columns.size(), 0);
  for (std::int64_t i = 0; i < options.iterations; ++i) {
    const std::vector<double> before = Held(within);
    const SmallMatrix weighted = kernels::Product(WeightMatrix(pairs, within, options), span.coordinates);
    CAIRN_ASSIGN_OR_RETURN(subspace, Top(kernels::TransposedProduct(span.coordinates, weighted), options));
    within = kernels::Product(span.coordinates, subspace);
    if (Settled(before, Held(within))) break;
  }
  return subspace;
}

}  // namespace cairn
