#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "aggregators/kernels/reference_robust.h"

namespace cairn::kernels::reference {
namespace {

constexpr double kStandsStill = 1e-10;  // Change of a value v_i.
constexpr double kRounding = 1e-13;     // Relative.

// Of the two forms of the algorithm, what differs.
struct Form {
  Columns columns;      // Of length 1, or zero.
  Columns differences;  // Of ordered pairs.
  double pair_weight;   // Of a difference, before reweighting; squared where it weighs its outer product.
};

// ||Y^T x||^2.
double Captured(const Columns& y, const Vector& x) {
  double sum = 0;
  for (const Vector& direction : y) sum += std::pow(Dot(direction, x), 2);
  return sum;
}

// The first m left singular vectors. Squared singular values below 8 n u of the largest are rounding.
Columns Directions(const Columns& matrix, std::size_t m, std::size_t n) {
  const double unit = std::numeric_limits<double>::epsilon() / 2;
  const LeftSingular all = LeftSingularOf(matrix);
  const double least = 8 * static_cast<double>(n) * unit * all.values[0] * all.values[0];
  Columns directions;
  for (std::size_t k = 0; k < std::min(m, all.values.size()); ++k) {
    const double square = all.values[k] * all.values[k];
    if (square > 0 && square >= least) directions.push_back(all.vectors[k]);
  }
  return directions;
}

// Y, by iteratively reweighted least squares from Y = 0. Each augmented column is multiplied by the square root of the
// weight of its outer product.
Columns Subspace(const Form& form, std::size_t m, const FlagOptions& options) {
  const auto reweighted = [&](const Vector& x, const Columns& y) {
    return Scaled(x, std::pow(std::abs(1 - Captured(y, x)) + options.epsilon, -0.25));
  };
  const std::size_t n = form.columns.size();
  Columns y;
  Vector captured(n);
  for (int iteration = 0; iteration < options.iterations; ++iteration) {
    Columns augmented;
    for (const Vector& x : form.columns) augmented.push_back(reweighted(x, y));
    for (const Vector& x : form.differences) augmented.push_back(Scaled(reweighted(x, y), form.pair_weight));
    y = Directions(augmented, m, n);
    double change = 0;
    for (std::size_t i = 0; i < n; ++i) {
      const double before = std::exchange(captured[i], Captured(y, form.columns[i]));
      change = std::max(change, std::abs(captured[i] - before));
    }
    if (change <= kStandsStill) break;
  }
  return y;
}

Vector Projected(const Columns& y, const Vector& x) {
  Vector sum(x.size());
  for (const Vector& direction : y) AddScaled(direction, Dot(direction, x), sum);
  return sum;
}

Columns Units(const Columns& x) {
  Columns units;
  for (const Vector& column : x) units.push_back(Unit(column));
  return units;
}

// x_i - x_j of all ordered pairs but those that only rounding keeps apart.
Columns Differences(const Columns& x) {
  Columns differences;
  for (std::size_t i = 0; i < x.size(); ++i) {
    for (std::size_t j = 0; j < x.size(); ++j) {
      const Vector difference = Minus(x[i], x[j]);
      if (Norm(difference) > kRounding * std::max(Norm(x[i]), Norm(x[j]))) differences.push_back(difference);
    }
  }
  return differences;
}

std::size_t DirectionsOf(const Columns& x, const FlagOptions& options) {
  return options.m.value_or((x.size() + 2) / 2);  // ceil((n + 1) / 2)
}

}  // namespace

Vector FlagOfPaper(const Columns& x, const FlagOptions& options) {
  const auto n = static_cast<double>(x.size());
  Form form{.columns = Units(x), .differences = {}, .pair_weight = 0};
  if (const double lambda = options.lambda.value_or(n); n > 1 && lambda > 0) {
    form.differences = Units(Differences(x));
    form.pair_weight = std::sqrt(lambda / (n - 1));
  }
  return Projected(Subspace(form, DirectionsOf(x, options), options), Mean(x));
}

Vector FlagOfCode(const Columns& x, const FlagOptions& options) {
  const auto n = static_cast<double>(x.size());
  Form form{.columns = Units(x), .differences = {}, .pair_weight = 0};
  if (const double lambda = options.lambda.value_or(0); n > 1 && lambda > 0) {
    form.differences = Differences(form.columns);
    form.pair_weight = lambda / (n * (n - 1));
  }
  const std::size_t m = DirectionsOf(x, options);
  const Vector sum = Scaled(Mean(form.columns), n);
  return Scaled(Projected(Subspace(form, m, options), sum), 1 / static_cast<double>(m));
}

}  // namespace cairn::kernels::reference
