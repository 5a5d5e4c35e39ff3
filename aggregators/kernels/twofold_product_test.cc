#include "aggregators/kernels/twofold_product.h"

#include <gtest/gtest.h>

#include <cmath>

#include "aggregators/kernels/reference_lowrank.h"

namespace cairn::kernels {
namespace {

using reference::Matrix;

Twofold Exact(const Matrix& x) { return {x.values, std::vector<double>(x.values.size())}; }

TEST(TwofoldProduct, EqualsTheSlowOne) {
  const Matrix x = reference::RandomMatrix(1, 5, 7), y = reference::RandomMatrix(2, 7, 11);
  const Twofold product = TwofoldProduct(x.values, Exact(y), 7, 11);
  const Matrix expected = reference::Product(x, y);
  ASSERT_EQ(product.high.size(), expected.values.size());
  for (std::size_t i = 0; i < product.high.size(); ++i) {
    EXPECT_NEAR(product.high[i], expected.values[i], 1e-15);
    EXPECT_LE(std::abs(product.low[i]), 0x1p-53 * std::abs(product.high[i]));
  }
}

TEST(TwofoldProduct, KeepsWhatIsLeftWhenTermsCancel) {
  // (2^40 + 2^-60) * 1 - 2^40 * 1 + (1 + 2^-52)^2, whose last bit is 2^-104.
  const std::vector<double> left = {0x1p40, -0x1p40, 1 + 0x1p-52};
  const Twofold right{{1, 1, 1 + 0x1p-52}, {0x1p-100, 0, 0}};
  const Twofold product = TwofoldProduct(left, right, 3, 1);
  EXPECT_EQ(product.high[0], 1 + 0x1p-51);
  EXPECT_EQ(product.low[0], 0x1p-60 + 0x1p-104);
}

// Row 1 of the left matrix undoes what row 0 does to the sum of two such products.
TEST(TwofoldProduct, OfTwofoldOnesKeepsItsDigits) {
  const Matrix x = reference::RandomMatrix(3, 6, 8);
  Matrix large = reference::RandomMatrix(4, 8, 8);
  Matrix both = Matrix::Zero(6, 16), stacked = Matrix::Zero(16, 8);  // [x, -x] [large; large - small]
  const Matrix small = reference::RandomMatrix(5, 8, 8);
  for (std::int64_t i = 0; i < 8; ++i) {
    for (std::int64_t j = 0; j < 8; ++j) {
      large.at(i, j) = std::ldexp(std::round(large.at(i, j) * 1024), 30);
      stacked.at(i, j) = large.at(i, j) + std::round(small.at(i, j) * 4096);
      stacked.at(i + 8, j) = large.at(i, j);
    }
    for (std::int64_t r = 0; r < 6; ++r) both.at(r, i) = x.at(r, i), both.at(r, i + 8) = -x.at(r, i);
  }
  Matrix difference = Matrix::Zero(8, 8);
  for (std::int64_t i = 0; i < 8; ++i) {
    for (std::int64_t j = 0; j < 8; ++j) difference.at(i, j) = std::round(small.at(i, j) * 4096);
  }
  const Twofold product = TwofoldProduct(both.values, Exact(stacked), 16, 8);
  const Twofold expected = TwofoldProduct(x.values, Exact(difference), 8, 8);
  for (std::size_t i = 0; i < product.high.size(); ++i) {
    EXPECT_NEAR(product.high[i], expected.high[i], 1e-15 * std::abs(expected.high[i]));
  }
}

}  // namespace
}  // namespace cairn::kernels
