#include "aggregators/kernels/largest_eigenvalue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "aggregators/kernels/reference_lowrank.h"

namespace cairn::kernels {
namespace {

// X X^T of a random X [n, rank].
SmallMatrix RandomGram(std::uint64_t seed, std::size_t n, std::size_t rank) {
  const reference::Matrix x =
      reference::RandomMatrix(seed, static_cast<std::int64_t>(n), static_cast<std::int64_t>(rank));
  SmallMatrix gram = SmallMatrix::Zero(n, n);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < n; ++j) {
      for (std::size_t k = 0; k < rank; ++k) gram.at(i, j) += x.values[i * rank + k] * x.values[j * rank + k];
    }
  }
  return gram;
}

// Jacobi's rotations, until nothing is left beside the diagonal.
double JacobiLargest(SmallMatrix a) {
  const std::size_t n = a.rows;
  for (int sweep = 0; sweep < 30; ++sweep) {
    for (std::size_t p = 0; p < n; ++p) {
      for (std::size_t q = p + 1; q < n; ++q) {
        if (a.at(p, q) == 0) continue;
        const double theta = (a.at(q, q) - a.at(p, p)) / (2 * a.at(p, q));
        const double t = std::copysign(1, theta) / (std::abs(theta) + std::hypot(theta, 1)), c = 1 / std::hypot(t, 1);
        for (std::size_t k = 0; k < n; ++k) {
          const double kp = a.at(k, p), kq = a.at(k, q);
          a.at(k, p) = c * (kp - t * kq);
          a.at(k, q) = c * (t * kp + kq);
        }
        for (std::size_t k = 0; k < n; ++k) {
          const double pk = a.at(p, k), qk = a.at(q, k);
          a.at(p, k) = c * (pk - t * qk);
          a.at(q, k) = c * (t * pk + qk);
        }
      }
    }
  }
  double largest = a.at(0, 0);
  for (std::size_t i = 0; i < n; ++i) largest = std::max(largest, a.at(i, i));
  return largest;
}

SmallMatrix Times(double factor, SmallMatrix matrix) {
  for (double& value : matrix.values) value *= factor;
  return matrix;
}

TEST(LargestEigenvalue, IsThatOfJacobisRotations) {
  for (const std::size_t n : {1, 2, 3, 5, 8, 20, 60}) {
    for (const std::size_t rank : {std::size_t{1}, n, 2 * n}) {
      const SmallMatrix matrix = RandomGram(n + rank, n, rank);
      const double expected = JacobiLargest(matrix);
      EXPECT_NEAR(LargestEigenvalue(matrix), expected, 1e-14 * expected) << n << ", rank " << rank;
    }
  }
}

TEST(LargestEigenvalue, OfMatricesWithEigenvaluesOfBothSigns) {
  SmallMatrix matrix = RandomGram(3, 12, 30);
  for (std::size_t i = 0; i < 12; ++i) matrix.at(i, i) -= 20;
  const double expected = JacobiLargest(matrix);
  EXPECT_NEAR(LargestEigenvalue(matrix), expected, 20e-14);
  EXPECT_EQ(LargestEigenvalue({2, 2, {-3, 0, 0, -2}}), -2);
  EXPECT_NEAR(LargestEigenvalue({2, 2, {-1, 1, 1, -1}}), 0, 1e-15);
}

TEST(LargestEigenvalue, OfMatricesThatAreNearlyTridiagonal) {
  for (const double rest : {1e-3, 1e-9, 1e-18}) {
    const SmallMatrix matrix{3, 3, {2, 1, rest, 1, 2, 1, rest, 1, 2}};
    EXPECT_NEAR(LargestEigenvalue(matrix), JacobiLargest(matrix), 4e-15) << rest;
  }
}

TEST(LargestEigenvalue, OfDegenerateMatrices) {
  EXPECT_EQ(LargestEigenvalue(SmallMatrix::Zero(0, 0)), 0);
  EXPECT_EQ(LargestEigenvalue(SmallMatrix::Zero(7, 7)), 0);
  EXPECT_EQ(LargestEigenvalue({1, 1, {0.1}}), 0.1);
  EXPECT_EQ(LargestEigenvalue({3, 3, {0.1, 0, 0, 0, 0.7, 0, 0, 0, 0.7}}), 0.7);
  SmallMatrix ones = SmallMatrix::Zero(9, 9);
  for (double& value : ones.values) value = 1;
  EXPECT_NEAR(LargestEigenvalue(ones), 9, 1e-14);
  for (std::size_t i = 0; i < 9; ++i) ones.at(i, i) += 1;  // 1 eight times, and 10.
  EXPECT_NEAR(LargestEigenvalue(ones), 10, 1e-14);
}

TEST(LargestEigenvalue, DoesNotDependOnTheScale) {
  const SmallMatrix matrix = RandomGram(8, 10, 15);
  const double expected = LargestEigenvalue(matrix);
  for (const int exponent : {-900, -200, 200, 900}) {
    EXPECT_EQ(LargestEigenvalue(Times(std::ldexp(1.0, exponent), matrix)), std::ldexp(expected, exponent));
  }
  constexpr double kLeast = std::numeric_limits<double>::denorm_min();
  EXPECT_EQ(LargestEigenvalue({2, 2, {4 * kLeast, 0, 0, 3 * kLeast}}), 4 * kLeast);
  EXPECT_NEAR(LargestEigenvalue(Times(1e305, matrix)) / 1e305, expected, 1e-14 * expected);
}

TEST(LargestEigenvalue, TinyValuesBesideLargeOnesDoNotSpoilIt) {
  // Squares of the tiny values are denormal or nothing.
  for (const double tiny : {1e-30, 1e-100, 1e-139, 1e-145, 1e-160, 1e-200, 1e-320}) {
    const SmallMatrix matrix{4, 4, {tiny, 0, tiny, tiny, 0, 2, 1, 1, tiny, 1, 2, 1, tiny, 1, 1, 2}};
    EXPECT_NEAR(LargestEigenvalue(matrix), 4, 1e-14) << tiny;
  }
}

}  // namespace
}  // namespace cairn::kernels
