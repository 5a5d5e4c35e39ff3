#include "aggregators/kernels/reference_lowrank.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <random>

namespace cairn::kernels::reference {
namespace {

Matrix Transposed(const Matrix& x) {
  Matrix out = Matrix::Zero(x.columns, x.rows);
  for (std::int64_t i = 0; i < x.rows; ++i) {
    for (std::int64_t j = 0; j < x.columns; ++j) out.at(j, i) = x.at(i, j);
  }
  return out;
}

// Makes rows p and q orthogonal. False when they already are.
bool Rotate(Matrix& x, std::int64_t p, std::int64_t q) {
  double pp = 0, qq = 0, pq = 0;
  for (std::int64_t j = 0; j < x.columns; ++j) {
    pp += x.at(p, j) * x.at(p, j);
    qq += x.at(q, j) * x.at(q, j);
    pq += x.at(p, j) * x.at(q, j);
  }
  if (std::abs(pq) <= 1e-15 * std::sqrt(pp * qq)) return false;
  const double angle = 0.5 * std::atan2(2 * pq, pp - qq), c = std::cos(angle), s = std::sin(angle);
  for (std::int64_t j = 0; j < x.columns; ++j) {
    const double u = x.at(p, j), v = x.at(q, j);
    x.at(p, j) = c * u + s * v;
    x.at(q, j) = c * v - s * u;
  }
  return true;
}

}  // namespace

std::vector<double> SingularValues(Matrix x) {
  if (x.rows > x.columns) x = Transposed(x);
  bool rotated = true;
  for (int sweep = 0; rotated && sweep < 60; ++sweep) {
    rotated = false;
    for (std::int64_t p = 0; p < x.rows; ++p) {
      for (std::int64_t q = p + 1; q < x.rows; ++q) rotated = Rotate(x, p, q) || rotated;
    }
  }
  std::vector<double> values;
  for (std::int64_t i = 0; i < x.rows; ++i) {
    double sum = 0;
    for (std::int64_t j = 0; j < x.columns; ++j) sum += x.at(i, j) * x.at(i, j);
    values.push_back(std::sqrt(sum));
  }
  std::sort(values.begin(), values.end(), std::greater<>());
  return values;
}

double InnerProduct(const Matrix& x, const Matrix& y) {
  double sum = 0;
  for (std::size_t i = 0; i < x.values.size(); ++i) sum += x.values[i] * y.values[i];
  return sum;
}

double NormOf(const Matrix& x) { return std::sqrt(InnerProduct(x, x)); }

Matrix Difference(const Matrix& x, const Matrix& y) {
  Matrix out = x;
  for (std::size_t i = 0; i < x.values.size(); ++i) out.values[i] -= y.values[i];
  return out;
}

Matrix RandomMatrix(std::uint64_t seed, std::int64_t rows, std::int64_t columns) {
  std::mt19937_64 random(seed);
  Matrix out = Matrix::Zero(rows, columns);
  for (double& value : out.values) value = static_cast<double>(random() >> 11) * 0x1p-52 - 1;
  return out;
}

Factors RandomFactors(std::uint64_t seed, std::int64_t d_out, std::int64_t rank, std::int64_t d_in, double decay) {
  Factors out{RandomMatrix(2 * seed, rank, d_in), RandomMatrix(2 * seed + 1, d_out, rank)};
  for (std::int64_t i = 0; i < d_out; ++i) {
    for (std::int64_t k = 0; k < rank; ++k) out.b.at(i, k) *= std::pow(decay, k);
  }
  return out;
}

Factors Stacked(const std::vector<Factors>& parts) {
  std::int64_t rank = 0, at = 0;
  for (const Factors& part : parts) rank += part.a.rows;
  Factors out{Matrix::Zero(rank, parts[0].a.columns), Matrix::Zero(parts[0].b.rows, rank)};
  for (const Factors& part : parts) {
    for (std::int64_t k = 0; k < part.a.rows; ++k, ++at) {
      for (std::int64_t j = 0; j < out.a.columns; ++j) out.a.at(at, j) = part.a.at(k, j);
      for (std::int64_t i = 0; i < out.b.rows; ++i) out.b.at(i, at) = part.b.at(i, k);
    }
  }
  return out;
}

FactorPair<double> PairOf(const Factors& factors) {
  return {factors.a.values, factors.b.values, factors.b.rows, factors.a.rows, factors.a.columns};
}

FloatFactors::FloatFactors(const Factors& factors)
    : a(factors.a.values.begin(), factors.a.values.end()),
      b(factors.b.values.begin(), factors.b.values.end()),
      d_out(factors.b.rows),
      rank(factors.a.rows),
      d_in(factors.a.columns) {}

Factors FloatFactors::exact() const {
  return {{rank, d_in, std::vector<double>(a.begin(), a.end())},
          {d_out, rank, std::vector<double>(b.begin(), b.end())}};
}

}  // namespace cairn::kernels::reference
