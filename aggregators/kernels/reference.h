// Slow, obvious twins of the rules, in float64 and dense. For tests only.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/types/span.h"

namespace cairn::kernels::reference {

// Row-major.
struct Matrix {
  std::int64_t rows = 0, columns = 0;
  std::vector<double> values;

  static Matrix Zero(std::int64_t rows, std::int64_t columns);
  double& at(std::int64_t i, std::int64_t j) { return values[i * columns + j]; }
  double at(std::int64_t i, std::int64_t j) const { return values[i * columns + j]; }
};

// One client's module: dW = scale * b * a, with weight p.
struct Update {
  double weight = 0;
  double scale = 1;
  Matrix a;  // [rank, d_in]
  Matrix b;  // [d_out, rank]
};

struct Factors {
  Matrix a, b;
};

Matrix Product(const Matrix& left, const Matrix& right);

// The exact aggregate: sum of p_i s_i B_i A_i, [d_out, d_in].
Matrix DenseSum(absl::Span<const Update> updates);

// A = sum of p_i A_i / sum of p_i, B = sum of p_i s_i B_i, lower ranks padded with zeros. With equal ranks this is the
// plain average.
Factors AverageFactors(absl::Span<const Update> updates);

// Largest absolute difference; infinity when the shapes differ.
double MaxDifference(const Matrix& x, const Matrix& y);
double MaxAbs(const Matrix& x);

}  // namespace cairn::kernels::reference
