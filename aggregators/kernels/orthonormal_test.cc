#include "aggregators/kernels/orthonormal.h"

#include <gtest/gtest.h>

#include <cmath>

#include "aggregators/kernels/reference_lowrank.h"

namespace cairn::kernels {
namespace {

using reference::Factors;
using reference::Matrix;

// B A in long double, rounded once.
Matrix ExactProduct(const Factors& factors) {
  Matrix out = Matrix::Zero(factors.b.rows, factors.a.columns);
  for (std::int64_t i = 0; i < out.rows; ++i) {
    for (std::int64_t j = 0; j < out.columns; ++j) {
      long double sum = 0;
      for (std::int64_t k = 0; k < factors.a.rows; ++k) {
        sum += static_cast<long double>(factors.b.at(i, k)) * factors.a.at(k, j);
      }
      out.at(i, j) = static_cast<double>(sum);
    }
  }
  return out;
}

// An error of `most` of the product's norm at most, from factors whose b is orthonormal.
void ExpectSameProduct(const Factors& factors, double most) {
  const auto own = Orthonormalized(PairOf(factors));
  ASSERT_TRUE(own.ok()) << own.status();
  const Matrix b{factors.b.rows, own->rank, own->b}, a{own->rank, factors.a.columns, own->a};
  for (std::int64_t k = 0; k < own->rank; ++k) {
    for (std::int64_t l = 0; l < own->rank; ++l) {
      double dot = 0;
      for (std::int64_t i = 0; i < b.rows; ++i) dot += b.at(i, k) * b.at(i, l);
      EXPECT_NEAR(dot, k == l ? 1 : 0, 1e-14);
    }
  }
  const Matrix expected = ExactProduct(factors);
  EXPECT_LE(reference::NormOf(Difference(reference::Product(b, a), expected)), most * reference::NormOf(expected));
}

TEST(Orthonormalized, KeepsTheProduct) {
  ExpectSameProduct(reference::RandomFactors(1, 20, 4, 30), 1e-14);
  ExpectSameProduct(reference::RandomFactors(2, 1, 1, 1), 1e-14);
}

TEST(Orthonormalized, OfMoreUnitsThanTheProductHasKeepsNoMore) {
  const Factors factors = reference::RandomFactors(3, 5, 12, 9);
  EXPECT_EQ(Orthonormalized(PairOf(factors))->rank, 5);
  ExpectSameProduct(factors, 1e-14);
}

// Unit 1 all but undoes unit 0: what is left is 2^-30 of either. Long double holds it to 2^-34.
TEST(Orthonormalized, LosesNothingWhenUnitsCancel) {
  Factors factors = reference::RandomFactors(4, 30, 3, 25);
  for (std::int64_t j = 0; j < 25; ++j) {
    factors.a.at(1, j) = factors.a.at(0, j);
    factors.a.at(2, j) *= 0x1p-30;
  }
  for (std::int64_t i = 0; i < 30; ++i) factors.b.at(i, 1) = -factors.b.at(i, 0) * (1 - 0x1p-30);
  ExpectSameProduct(factors, 1e-10);
}

TEST(Orthonormalized, TakesFactorsWhoseSquaresOverflow) {
  Factors factors = reference::RandomFactors(5, 12, 3, 10);
  for (double& value : factors.b.values) value *= 0x1p700;
  for (double& value : factors.a.values) value *= 0x1p-700;
  ExpectSameProduct(factors, 1e-14);
}

TEST(Orthonormalized, OfAZeroProductIsZero) {
  Factors factors = reference::RandomFactors(6, 4, 2, 5);
  for (double& value : factors.b.values) value = 0;
  const auto own = Orthonormalized(PairOf(factors));
  for (const double value : own->a) EXPECT_EQ(value, 0);
}

}  // namespace
}  // namespace cairn::kernels
