#include "aggregators/kernels/reference_eigen.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace cairn::kernels::reference {
namespace {

void RotateColumns(SmallMatrix& x, std::size_t p, std::size_t q, double c, double s) {
  for (std::size_t i = 0; i < x.rows; ++i) {
    const double u = x.at(i, p), v = x.at(i, q);
    x.at(i, p) = c * u + s * v;
    x.at(i, q) = c * v - s * u;
  }
}

void RotateRows(SmallMatrix& x, std::size_t p, std::size_t q, double c, double s) {
  for (std::size_t j = 0; j < x.columns; ++j) {
    const double u = x.at(p, j), v = x.at(q, j);
    x.at(p, j) = c * u + s * v;
    x.at(q, j) = c * v - s * u;
  }
}

double MaxAbs(const SmallMatrix& x) {
  double largest = 0;
  for (const double value : x.values) largest = std::max(largest, std::abs(value));
  return largest;
}

// Makes the entry (p, q) zero. False when it already is.
bool Rotate(SmallMatrix& x, SmallMatrix& vectors, double noise, std::size_t p, std::size_t q) {
  if (std::abs(x.at(p, q)) <= noise) return false;
  const double angle = 0.5 * std::atan2(2 * x.at(p, q), x.at(p, p) - x.at(q, q));
  const double c = std::cos(angle), s = std::sin(angle);
  RotateColumns(x, p, q, c, s);
  RotateRows(x, p, q, c, s);
  RotateColumns(vectors, p, q, c, s);
  return true;
}

}  // namespace

std::vector<EigenPair> EigenPairs(SmallMatrix matrix) {
  const std::size_t n = matrix.rows;
  SmallMatrix vectors = SmallMatrix::Zero(n, n);
  for (std::size_t i = 0; i < n; ++i) vectors.at(i, i) = 1;
  const double noise = 1e-17 * MaxAbs(matrix);
  bool rotated = true;
  for (int sweep = 0; rotated && sweep < 60; ++sweep) {
    rotated = false;
    for (std::size_t p = 0; p < n; ++p) {
      for (std::size_t q = p + 1; q < n; ++q) rotated = Rotate(matrix, vectors, noise, p, q) || rotated;
    }
  }
  std::vector<EigenPair> pairs(n);
  for (std::size_t j = 0; j < n; ++j) {
    pairs[j].value = matrix.at(j, j);
    for (std::size_t i = 0; i < n; ++i) pairs[j].vector.push_back(vectors.at(i, j));
  }
  std::sort(pairs.begin(), pairs.end(), [](const EigenPair& x, const EigenPair& y) { return x.value > y.value; });
  return pairs;
}

}  // namespace cairn::kernels::reference
