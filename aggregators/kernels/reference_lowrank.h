// Slow, obvious twins of the linear algebra of factors, and factors to try it on. For tests only.
#pragma once

#include <cstdint>
#include <vector>

#include "aggregators/kernels/factor_pair.h"
#include "aggregators/kernels/reference.h"

namespace cairn::kernels::reference {

// All singular values, descending, by rotating pairs of columns until they are orthogonal (one-sided Jacobi).
std::vector<double> SingularValues(Matrix x);

double NormOf(const Matrix& x);  // Frobenius.
double InnerProduct(const Matrix& x, const Matrix& y);
Matrix Difference(const Matrix& x, const Matrix& y);

// Values uniform in [-1, 1), the same for the same seed.
Matrix RandomMatrix(std::uint64_t seed, std::int64_t rows, std::int64_t columns);
// RandomMatrix factors; column k of b is multiplied by decay^k.
Factors RandomFactors(std::uint64_t seed, std::int64_t d_out, std::int64_t rank, std::int64_t d_in, double decay = 1);

// Every factor of `parts`, on top of each other and side by side.
Factors Stacked(const std::vector<Factors>& parts);

// As the kernels take them; the factors must outlive the result.
FactorPair<double> PairOf(const Factors& factors);

// Rounded to float32, with room for the values.
struct FloatFactors {
  std::vector<float> a, b;
  std::int64_t d_out = 0, rank = 0, d_in = 0;
  explicit FloatFactors(const Factors& factors);
  FactorPair<float> pair() const { return {a, b, d_out, rank, d_in}; }
  Factors exact() const;  // The rounded values.
};

}  // namespace cairn::kernels::reference
