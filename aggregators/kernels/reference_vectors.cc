#include "aggregators/kernels/reference_vectors.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace cairn::kernels::reference {
namespace {

constexpr double kOrthogonal = 1e-15;  // Cosines below this are none.
constexpr double kNothing = 1e-14;     // Of the matrix's norm: what is left of a column after rotations.
constexpr int kSweepsMax = 60;

Columns Transposed(const Columns& x) {
  Columns out(x[0].size(), Vector(x.size()));
  for (std::size_t i = 0; i < x.size(); ++i) {
    for (std::size_t k = 0; k < x[i].size(); ++k) out[k][i] = x[i][k];
  }
  return out;
}

Columns Identity(std::size_t size) {
  Columns out(size, Vector(size));
  for (std::size_t i = 0; i < size; ++i) out[i][i] = 1;
  return out;
}

void Rotate(Vector& x, Vector& y, double cosine, double sine) {
  for (std::size_t k = 0; k < x.size(); ++k) {
    const double u = x[k], v = y[k];
    x[k] = cosine * u + sine * v;
    y[k] = cosine * v - sine * u;
  }
}

// Rotates pairs of x, and of `companions` alike, until all of x are orthogonal.
void Orthogonalise(Columns& x, Columns& companions) {
  double total = 0;
  for (const Vector& column : x) total += Dot(column, column);
  const double least = kNothing * std::sqrt(total);
  bool rotated = true;
  for (int sweep = 0; rotated && sweep < kSweepsMax; ++sweep) {
    rotated = false;
    for (std::size_t i = 0; i < x.size(); ++i) {
      for (std::size_t j = i + 1; j < x.size(); ++j) {
        const double ii = Norm(x[i]), jj = Norm(x[j]), ij = Dot(x[i], x[j]);
        if (std::min(ii, jj) <= least || std::abs(ij) <= kOrthogonal * ii * jj) continue;
        const double angle = 0.5 * std::atan2(2 * ij, (ii - jj) * (ii + jj));
        Rotate(x[i], x[j], std::cos(angle), std::sin(angle));
        Rotate(companions[i], companions[j], std::cos(angle), std::sin(angle));
        rotated = true;
      }
    }
  }
}

}  // namespace

double Dot(const Vector& x, const Vector& y) { return std::inner_product(x.begin(), x.end(), y.begin(), 0.0); }
double Norm(const Vector& x) { return std::sqrt(Dot(x, x)); }

Vector Scaled(Vector x, double factor) {
  for (double& value : x) value *= factor;
  return x;
}

Vector Minus(Vector x, const Vector& y) {
  AddScaled(y, -1, x);
  return x;
}

void AddScaled(const Vector& x, double factor, Vector& sum) {
  for (std::size_t k = 0; k < x.size(); ++k) sum[k] += factor * x[k];
}

double SquaredDistance(const Vector& x, const Vector& y) {
  const Vector difference = Minus(x, y);
  return Dot(difference, difference);
}

Vector Unit(const Vector& x) {
  const double norm = Norm(x);
  return norm > 0 ? Scaled(x, 1 / norm) : x;
}

Vector Combination(const Columns& columns, const Vector& weights) {
  Vector sum(columns[0].size());
  for (std::size_t i = 0; i < columns.size(); ++i) AddScaled(columns[i], weights[i], sum);
  return sum;
}

Vector MeanOf(const Columns& columns, const std::vector<std::size_t>& which) {
  Vector sum(columns[0].size());
  for (const std::size_t i : which) AddScaled(columns[i], 1 / static_cast<double>(which.size()), sum);
  return sum;
}

Vector Mean(const Columns& columns) {
  return Combination(columns, Vector(columns.size(), 1 / static_cast<double>(columns.size())));
}

std::vector<std::size_t> Ascending(const Vector& values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](std::size_t i, std::size_t j) { return values[i] < values[j]; });
  return order;
}

std::vector<std::size_t> Smallest(const Vector& values, std::size_t count) {
  std::vector<std::size_t> order = Ascending(values);
  order.resize(count);
  return order;
}

LeftSingular LeftSingularOf(const Columns& columns) {
  const bool by_rows = columns.size() > columns[0].size();
  Columns x = by_rows ? Transposed(columns) : columns;
  Columns basis = Identity(x.size());
  Orthogonalise(x, basis);
  Vector negated;
  for (const Vector& column : x) negated.push_back(-Norm(column));
  LeftSingular result;
  for (const std::size_t i : Ascending(negated)) {
    result.values.push_back(-negated[i]);
    result.vectors.push_back(by_rows ? basis[i] : Unit(x[i]));
  }
  return result;
}

}  // namespace cairn::kernels::reference
