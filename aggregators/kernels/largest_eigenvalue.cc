#include "aggregators/kernels/largest_eigenvalue.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

namespace cairn::kernels {
namespace {

// Matrices are scaled so that their largest value is about 1. Beside it, values whose squares add up to less are
// none, and their squares would have lost digits.
constexpr double kNegligible = 1e-280;
// Powers of two that can be multiplied by, both ways.
constexpr int kExponentMax = 1000;

struct Tridiagonal {
  std::vector<double> diagonal;
  std::vector<double> below;  // Beside the diagonal; one fewer.
};

double LargestAbsolute(const std::vector<double>& values) {
  double largest = 0;
  for (const double value : values) largest = std::max(largest, std::abs(value));
  return largest;
}

// The reflection I - v v^T that leaves row `k` of a matrix one value right of its diagonal.
struct Reflection {
  std::vector<double> v;  // Zero up to `k`; its squared norm is 2. Empty: the row has that form already.
  double value = 0;       // The one that is left.
};

Reflection ReflectionOf(const SmallMatrix& a, std::size_t k) {
  const double first = a.at(k, k + 1);
  double rest = 0;
  for (std::size_t i = k + 2; i < a.rows; ++i) rest += a.at(k, i) * a.at(k, i);
  if (rest < kNegligible) return {{}, first};
  const double norm = std::sqrt(first * first + rest), turned = first + std::copysign(norm, first);
  const double scale = std::sqrt(2 / (turned * turned + rest));
  std::vector<double> v(a.rows);
  v[k + 1] = turned * scale;
  for (std::size_t i = k + 2; i < a.rows; ++i) v[i] = a.at(k, i) * scale;
  return {std::move(v), -std::copysign(norm, first)};
}

// A <- (I - v v^T) A (I - v v^T), right of column `k` and below row `k`, where v is not zero.
void Reflect(const std::vector<double>& v, std::size_t k, SmallMatrix* a) {
  const std::size_t n = a->rows;
  std::vector<double> w(n);
  for (std::size_t i = k + 1; i < n; ++i) {
    const double* row = &a->values[i * n];
    for (std::size_t j = k + 1; j < n; ++j) w[j] += v[i] * row[j];
  }
  double half = 0;
  for (std::size_t i = k + 1; i < n; ++i) half += v[i] * w[i] / 2;
  for (std::size_t i = k + 1; i < n; ++i) w[i] -= half * v[i];
  for (std::size_t i = k + 1; i < n; ++i) {
    double* row = &a->values[i * n];
    for (std::size_t j = k + 1; j < n; ++j) row[j] -= v[i] * w[j] + w[i] * v[j];
  }
}

Tridiagonal Tridiagonalised(SmallMatrix a) {
  Tridiagonal t;
  for (std::size_t k = 0; k < a.rows; ++k) {
    t.diagonal.push_back(a.at(k, k));
    if (k + 1 == a.rows) break;
    const Reflection reflection = ReflectionOf(a, k);
    t.below.push_back(reflection.value);
    if (!reflection.v.empty()) Reflect(reflection.v, k, &a);
  }
  return t;
}

// Whether all eigenvalues are below x: then every pivot of T - x I is negative.
bool AllBelow(const Tridiagonal& t, double x) {
  double pivot = t.diagonal[0] - x;
  for (std::size_t i = 1; pivot < 0 && i < t.diagonal.size(); ++i) {
    pivot = t.diagonal[i] - x - t.below[i - 1] * t.below[i - 1] / pivot;
  }
  return pivot < 0;
}

double LargestOf(const Tridiagonal& t) {
  double low = -std::numeric_limits<double>::infinity(), high = low, size = 0;
  for (std::size_t i = 0; i < t.diagonal.size(); ++i) {
    const double radius = (i > 0 ? std::abs(t.below[i - 1]) : 0) + (i < t.below.size() ? std::abs(t.below[i]) : 0);
    low = std::max(low, t.diagonal[i]);             // The quadratic form of a unit vector.
    high = std::max(high, t.diagonal[i] + radius);  // Gershgorin's circles.
    size = std::max(size, std::abs(t.diagonal[i]) + radius);
  }
  const double resolution = size * std::numeric_limits<double>::epsilon() / 2;
  while (high - low > resolution) {
    const double middle = low + (high - low) / 2;
    if (middle == low || middle == high) break;
    (AllBelow(t, middle) ? high : low) = middle;
  }
  return high;
}

}  // namespace

double LargestEigenvalue(SmallMatrix matrix) {
  const double largest = LargestAbsolute(matrix.values);
  if (largest == 0) return 0;
  const int exponent = std::clamp(std::ilogb(largest), -kExponentMax, kExponentMax);
  const double scale = std::ldexp(1.0, -exponent);
  for (double& value : matrix.values) value *= scale;
  return std::ldexp(LargestOf(Tridiagonalised(std::move(matrix))), exponent);
}

}  // namespace cairn::kernels
