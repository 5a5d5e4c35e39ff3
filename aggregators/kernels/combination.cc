#include "aggregators/kernels/combination.h"

#include <algorithm>
#include <cmath>

namespace cairn::kernels {
namespace {

double Dot(absl::Span<const double> x, absl::Span<const double> y) {
  double sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i) sum += x[i] * y[i];
  return sum;
}

std::size_t Medoid(const SmallMatrix& gram) {
  std::vector<double> sums(gram.rows);
  for (std::size_t i = 0; i < gram.rows; ++i) {
    for (std::size_t j = 0; j < gram.rows; ++j) sums[i] += std::sqrt(SquaredDistance(gram, i, j));
  }
  return static_cast<std::size_t>(std::min_element(sums.begin(), sums.end()) - sums.begin());
}

}  // namespace

std::vector<double> InnerProductsWith(const SmallMatrix& gram, absl::Span<const double> weights) {
  std::vector<double> out(gram.columns);
  for (std::size_t j = 0; j < gram.rows; ++j) {
    const double* row = &gram.values[j * gram.columns];
    for (std::size_t i = 0; i < out.size(); ++i) out[i] += weights[j] * row[i];
  }
  return out;
}

SmallMatrix WithZeroColumn(const SmallMatrix& gram) {
  SmallMatrix out = SmallMatrix::Zero(gram.rows + 1, gram.columns + 1);
  for (std::size_t i = 0; i < gram.rows; ++i) {
    for (std::size_t j = 0; j < gram.columns; ++j) out.at(i, j) = gram.at(i, j);
  }
  return out;
}

SmallMatrix FromMedoid(const SmallMatrix& gram) {
  const std::size_t b = Medoid(gram);
  SmallMatrix out = SmallMatrix::Zero(gram.rows, gram.columns);
  for (std::size_t i = 0; i < gram.rows; ++i) {
    for (std::size_t j = 0; j <= i; ++j) {
      // Of columns that agree, differences of neighbouring numbers: without rounding.
      out.at(i, j) = out.at(j, i) = (gram.at(i, j) - gram.at(i, b)) - (gram.at(b, j) - gram.at(b, b));
    }
  }
  return out;
}

std::vector<double> DistancesFrom(const SmallMatrix& gram, absl::Span<const double> weights) {
  std::vector<double> out = InnerProductsWith(gram, weights);
  const double norm_squared = Dot(out, weights);
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i] = std::sqrt(std::max(0.0, (gram.at(i, i) - out[i]) + (norm_squared - out[i])));
  }
  return out;
}

SmallMatrix Centred(const SmallMatrix& gram, absl::Span<const double> weights) {
  const std::vector<double> with = InnerProductsWith(gram, weights);
  const double norm_squared = Dot(with, weights);
  SmallMatrix out = SmallMatrix::Zero(gram.rows, gram.columns);
  for (std::size_t i = 0; i < gram.rows; ++i) {
    for (std::size_t j = 0; j <= i; ++j) {
      out.at(i, j) = out.at(j, i) = (gram.at(i, j) - with[i]) + (norm_squared - with[j]);
    }
  }
  return out;
}

double Cosine(const SmallMatrix& gram, std::size_t i, std::size_t j) {
  const double x = std::sqrt(gram.at(i, i)), y = std::sqrt(gram.at(j, j));
  if (!(x > 0 && y > 0)) return 0;
  return std::clamp(gram.at(i, j) / x / y, -1.0, 1.0);
}

}  // namespace cairn::kernels
