#include "aggregators/kernels/balance.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "aggregators/kernels/reference_lowrank.h"

namespace cairn::kernels {
namespace {

using reference::Factors;

double RowNorm(const std::vector<double>& a, std::int64_t k, std::int64_t d_in) {
  double sum = 0;
  for (std::int64_t j = 0; j < d_in; ++j) sum += a[k * d_in + j] * a[k * d_in + j];
  return std::sqrt(sum);
}

double ColumnNorm(const std::vector<double>& b, std::int64_t k, std::int64_t rank) {
  double sum = 0;
  for (std::size_t at = k; at < b.size(); at += rank) sum += b[at] * b[at];
  return std::sqrt(sum);
}

TEST(Balance, BringsBothFactorsOfEveryUnitToOneSizeAndKeepsTheProduct) {
  Factors factors = reference::RandomFactors(1, 7, 3, 11);
  const double gauges[] = {1e12, 3e-9, 1};
  for (std::int64_t k = 0; k < 3; ++k) {
    for (std::int64_t j = 0; j < 11; ++j) factors.a.at(k, j) *= gauges[k];
    for (std::int64_t i = 0; i < 7; ++i) factors.b.at(i, k) /= gauges[k];
  }
  const Balanced<double> out = Balance(reference::PairOf(factors));
  ASSERT_TRUE(out.finite);
  EXPECT_FALSE(out.zero);
  double largest = 0;
  for (std::int64_t k = 0; k < 3; ++k) {
    const double of_a = RowNorm(out.a, k, 11), of_b = ColumnNorm(out.b, k, 3);
    EXPECT_LE(std::abs(std::log2(of_a / of_b)), 2);
    largest = std::max(largest, of_a * of_b);
  }
  EXPECT_GE(largest, 1);
  EXPECT_LT(largest, 4);
  const auto product = reference::Product({7, 3, out.b}, {3, 11, out.a});
  const auto expected = reference::Product(factors.b, factors.a);
  for (std::size_t i = 0; i < product.values.size(); ++i) {
    EXPECT_NEAR(std::ldexp(product.values[i], out.exponent), expected.values[i], 1e-14);
  }
}

TEST(Balance, KeepsFloatsOfTheLargestSizeFinite) {
  const std::vector<float> a = {0x1p95F, 0x1p-90F}, b = {0x1p95F, 0x1p-90F};
  const Balanced<float> out = Balance(FactorPair<float>{a, b, 1, 2, 1});
  EXPECT_EQ(out.exponent, 190);
  EXPECT_EQ(out.a[0], 1);
  EXPECT_EQ(out.b[0], 1);
  EXPECT_EQ(out.a[1] * out.b[1], 0);  // 370 powers of two below the other.
}

TEST(Balance, UnitsWithOneFactorZeroAreZero) {
  const std::vector<double> a = {1e30, 2}, b = {0, 3};
  const Balanced<double> out = Balance(FactorPair<double>{a, b, 1, 2, 1});
  EXPECT_EQ(out.a[0], 0);
  EXPECT_EQ(std::ldexp(out.a[1] * out.b[1], out.exponent), 6);
}

TEST(Balance, SaysWhatIsZeroAndWhatIsNotFinite) {
  const std::vector<double> zero = {0, 0}, one = {1, 1}, nan = {1, std::numeric_limits<double>::quiet_NaN()};
  EXPECT_TRUE(Balance(FactorPair<double>{one, zero, 2, 1, 2}).zero);
  EXPECT_FALSE(Balance(FactorPair<double>{one, nan, 2, 1, 2}).finite);
  EXPECT_FALSE(Balance(FactorPair<double>{nan, one, 2, 1, 2}).finite);
}

}  // namespace
}  // namespace cairn::kernels
