#include "aggregators/kernels/symmetric_eigen.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>

#include "aggregators/kernels/reference_eigen.h"

namespace cairn::kernels {
namespace {

using reference::EigenPair;
using reference::EigenPairs;

// Values uniform in [-size, size).
SmallMatrix Random(std::uint64_t seed, std::size_t n, double size = 1) {
  std::mt19937_64 random(seed);
  SmallMatrix out = SmallMatrix::Zero(n, n);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j <= i; ++j) {
      out.at(i, j) = out.at(j, i) = size * (static_cast<double>(random() >> 11) * 0x1p-52 - 1);
    }
  }
  return out;
}

// The largest error of A V = V diag(values) and of V^T V = 1, the first relative to `size`.
double ErrorOf(const SmallMatrix& matrix, const Eigen& eigen, double size) {
  const std::size_t n = matrix.rows;
  double error = 0;
  for (std::size_t j = 0; j < n; ++j) {
    for (std::size_t i = 0; i < n; ++i) {
      double image = 0, product = 0;
      for (std::size_t k = 0; k < n; ++k) {
        image += matrix.at(i, k) / size * eigen.vectors.at(k, j);
        product += eigen.vectors.at(k, i) * eigen.vectors.at(k, j);
      }
      error = std::max(error, std::abs(image - eigen.values[j] / size * eigen.vectors.at(i, j)));
      error = std::max(error, std::abs(product - (i == j ? 1 : 0)));
    }
  }
  return error;
}

TEST(SymmetricEigen, HasTheValuesAndVectorsOfTheSlowTwin) {
  for (const std::size_t n : {1, 2, 3, 8, 40}) {
    const SmallMatrix matrix = Random(n, n);
    const auto eigen = SymmetricEigen(matrix);
    ASSERT_TRUE(eigen.ok()) << eigen.status();
    const std::vector<EigenPair> twin = EigenPairs(matrix);
    for (std::size_t j = 0; j < n; ++j) EXPECT_NEAR(eigen->values[j], twin[n - 1 - j].value, 1e-13 * n);
    EXPECT_LE(ErrorOf(matrix, *eigen, 1), 1e-13 * n);
  }
}

TEST(SymmetricEigen, SizeDoesNotMatter) {
  for (const double size : {1e60, 1e-60, 1e150, 1e-150, 1e300, 1e-300}) {
    const SmallMatrix matrix = Random(1, 12, size);
    const auto eigen = SymmetricEigen(matrix);
    ASSERT_TRUE(eigen.ok()) << eigen.status();
    EXPECT_LE(ErrorOf(matrix, *eigen, size), 1e-13) << size;
    EXPECT_GT(eigen->values.back(), size) << "of a matrix that large";
  }
}

TEST(SymmetricEigen, TakesNumbersBelowTheNormalOnes) {
  const double least = std::numeric_limits<double>::denorm_min();
  const auto eigen = SymmetricEigen({2, 2, {8 * least, 0, 0, 4 * least}});
  ASSERT_TRUE(eigen.ok()) << eigen.status();
  EXPECT_THAT(eigen->values, ::testing::ElementsAre(4 * least, 8 * least));
}

TEST(SymmetricEigen, ReadsTheLowerTriangleOnly) {
  const SmallMatrix matrix = Random(3, 5);
  SmallMatrix lower = matrix;
  for (std::size_t i = 0; i < 5; ++i) {
    for (std::size_t j = i + 1; j < 5; ++j) lower.at(i, j) = std::numeric_limits<double>::quiet_NaN();
  }
  EXPECT_EQ(SymmetricEigen(lower)->values, SymmetricEigen(matrix)->values);
}

TEST(SymmetricEigen, EqualValuesStillHaveOrthonormalVectors) {
  SmallMatrix ones{6, 6, std::vector<double>(36, 1)}, identity = SmallMatrix::Zero(6, 6);
  for (std::size_t i = 0; i < 6; ++i) identity.at(i, i) = 1;
  for (const SmallMatrix& matrix : {ones, identity, SmallMatrix::Zero(6, 6)}) {
    const auto eigen = SymmetricEigen(matrix);
    ASSERT_TRUE(eigen.ok()) << eigen.status();
    EXPECT_LE(ErrorOf(matrix, *eigen, 1), 1e-14);
  }
}

TEST(SymmetricEigen, TheSameInputGivesTheSameBits) {
  const SmallMatrix matrix = Random(4, 40);
  const auto x = SymmetricEigen(matrix), y = SymmetricEigen(matrix);
  EXPECT_EQ(x->values, y->values);
  EXPECT_EQ(x->vectors.values, y->vectors.values);
}

TEST(SymmetricEigen, NoRowsHaveNoValues) {
  const auto eigen = SymmetricEigen({});
  ASSERT_TRUE(eigen.ok()) << eigen.status();
  EXPECT_TRUE(eigen->values.empty());
}

TEST(SymmetricEigen, RefusesWhatIsNotSquareOrNotFinite) {
  constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
  EXPECT_EQ(SymmetricEigen(SmallMatrix::Zero(2, 3)).status().code(), kInvalid);
  EXPECT_EQ(SymmetricEigen({2, 2, {1, 2, 3}}).status().code(), kInvalid);
  for (const double value : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    const absl::Status status = SymmetricEigen({2, 2, {1, 0, value, 1}}).status();
    EXPECT_EQ(status.code(), kInvalid);
    EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr("at (1, 0)"));
  }
}

}  // namespace
}  // namespace cairn::kernels
