#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "aggregators/kernels/reference_robust.h"

namespace cairn::kernels::reference {
namespace {

constexpr double kStandsStill = 1e-12;  // How far the geometric median moves, in the mean distance from it.
constexpr int kIterationsMax = 10'000;

double Sum(const Vector& values) { return std::accumulate(values.begin(), values.end(), 0.0); }

// The columns weights[i]^(1/2) (x_i - mean): the sum of their outer products is the weighted covariance.
Columns WeightedDeviations(const Columns& x, const Vector& weights, const Vector& mean) {
  Columns deviations;
  for (std::size_t i = 0; i < x.size(); ++i) {
    deviations.push_back(Scaled(Minus(x[i], mean), std::sqrt(weights[i])));
  }
  return deviations;
}

// <v, x_i - mean>^2.
Vector SquaredProjections(const Columns& x, const Vector& mean, const Vector& v) {
  Vector squares;
  for (const Vector& column : x) squares.push_back(std::pow(Dot(v, Minus(column, mean)), 2));
  return squares;
}

}  // namespace

Vector GeometricMedian(const Columns& x, double nu, int iterations) {
  const std::size_t n = x.size();
  Vector weights(n, 1 / static_cast<double>(n));
  for (int i = 0; i < (iterations > 0 ? iterations : kIterationsMax); ++i) {
    const Vector z = Combination(x, weights);
    Vector next;
    for (const Vector& column : x) next.push_back(1 / std::max(nu, Norm(Minus(column, z))));
    next = Scaled(next, 1 / Sum(next));
    // How far z moves, at most, and how far the columns are from it.
    double move = 0, mean = 0;
    for (std::size_t j = 0; j < n; ++j) {
      move += std::abs(next[j] - weights[j]) * Norm(Minus(x[j], z));
      mean += next[j] * Norm(Minus(x[j], z));
    }
    weights = next;
    if (iterations == 0 && move <= kStandsStill * mean) break;
  }
  return Combination(x, weights);
}

Vector CenteredClipping(const Columns& x, Vector last, double tau, int iterations) {
  for (int i = 0; i < iterations; ++i) {
    Columns steps;
    for (const Vector& column : x) {
      const Vector step = Minus(column, last);
      const double length = Norm(step);
      steps.push_back(Scaled(step, length > tau ? tau / length : 1));
    }
    AddScaled(Mean(steps), 1, last);
  }
  return last;
}

Vector Caf(const Columns& x, std::size_t f) {
  const auto n = static_cast<double>(x.size()), enough = n - 2 * static_cast<double>(f);
  Vector c(x.size(), 1), result = Mean(x);
  double best = std::numeric_limits<double>::infinity();
  while (Sum(c) > enough) {
    const Vector weights = Scaled(c, 1 / Sum(c)), mean = Combination(x, weights);
    const LeftSingular directions = LeftSingularOf(WeightedDeviations(x, weights, mean));
    const double lambda = directions.values[0] * directions.values[0];
    if (lambda < best) {
      best = lambda;
      result = mean;
    }
    const Vector squares = SquaredProjections(x, mean, directions.vectors[0]);
    double largest = 0;
    for (std::size_t i = 0; i < x.size(); ++i) largest = std::max(largest, c[i] > 0 ? squares[i] : 0);
    if (largest == 0) break;
    for (std::size_t i = 0; i < x.size(); ++i) c[i] = c[i] > 0 ? c[i] * (1 - squares[i] / largest) : 0;
  }
  return result;
}

Vector Dnc(const Columns& x, std::size_t f, double c) {
  const Vector mean = Mean(x);
  const Vector direction = LeftSingularOf(WeightedDeviations(x, Vector(x.size(), 1), mean)).vectors[0];
  const auto removed = static_cast<std::size_t>(std::floor(c * static_cast<double>(f)));
  return MeanOf(x, Smallest(SquaredProjections(x, mean, direction), x.size() - removed));
}

}  // namespace cairn::kernels::reference
