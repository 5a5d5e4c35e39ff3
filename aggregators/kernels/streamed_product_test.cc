#include "aggregators/kernels/streamed_product.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "aggregators/kernels/reference_lowrank.h"

namespace cairn::kernels {
namespace {

using reference::Factors;
using reference::Matrix;

// Views into `factors`.
StreamedFactors Streamed(const Factors& factors) {
  const auto reader = [](const Matrix& matrix) {
    return [&matrix](std::int64_t first, absl::Span<double> rows) {
      std::copy_n(matrix.values.begin() + first * matrix.columns, rows.size(), rows.begin());
    };
  };
  return {factors.b.rows, factors.a.rows, factors.a.columns, reader(factors.a), reader(factors.b)};
}

// Units [first, end).
Matrix DensePart(const Factors& factors, std::int64_t first, std::int64_t end) {
  Matrix product = Matrix::Zero(factors.b.rows, factors.a.columns);
  for (std::int64_t i = 0; i < product.rows; ++i) {
    for (std::int64_t k = first; k < end; ++k) {
      for (std::int64_t j = 0; j < product.columns; ++j) product.at(i, j) += factors.b.at(i, k) * factors.a.at(k, j);
    }
  }
  return product;
}

void ExpectDense(const Factors& factors, const std::vector<std::int64_t>& starts) {
  const auto inner = FormedInnerProducts(Streamed(factors), starts);
  ASSERT_TRUE(inner.ok()) << inner.status();
  const std::size_t parts = starts.size() - 1;
  for (std::size_t x = 0; x < parts; ++x) {
    for (std::size_t y = 0; y < parts; ++y) {
      const Matrix one = DensePart(factors, starts[x], starts[x + 1]),
                   other = DensePart(factors, starts[y], starts[y + 1]);
      EXPECT_NEAR((*inner)[x * parts + y], reference::InnerProduct(one, other),
                  1e-13 * reference::NormOf(one) * reference::NormOf(other));
      EXPECT_EQ((*inner)[x * parts + y], (*inner)[y * parts + x]);
    }
  }
}

TEST(StreamedProduct, EqualsTheDenseOne) {
  ExpectDense(reference::RandomFactors(1, 1, 1, 1), {0, 1});
  ExpectDense(reference::RandomFactors(2, 9, 7, 5), {0, 3, 3, 6, 7});
  ExpectDense(reference::RandomFactors(3, 5, 40, 6), {0, 16, 32, 40});
}

// Wider than a panel, and than what is held: every loop runs more than once.
TEST(StreamedProduct, TakesFactorsOfManyPanels) {
  ExpectDense(reference::RandomFactors(4, 5, 6, (1 << 19) + 5), {0, 2, 6});  // Three rows of both parts are formed.
}

TEST(StreamedProduct, UnitsThatCancelKeepTheirDigits) {
  Factors factors = reference::RandomFactors(5, 30, 2, 25);
  for (std::int64_t j = 0; j < 25; ++j) factors.a.at(1, j) = factors.a.at(0, j);
  for (std::int64_t i = 0; i < 30; ++i) factors.b.at(i, 1) = -factors.b.at(i, 0) * (1 - 0x1p-30);
  const Matrix unit = DensePart(factors, 0, 1);
  const double expected = reference::InnerProduct(unit, unit) * 0x1p-60;
  EXPECT_NEAR(FormedInnerProducts(Streamed(factors), {0, 2})->front(), expected, 1e-5 * expected);
}

TEST(StreamedProduct, ValuesThatAreNotFiniteShowInTheirOwnPart) {
  for (const double value : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    Factors factors = reference::RandomFactors(6, 4, 3, 5);
    factors.a.at(1, 2) = value;
    const auto inner = FormedInnerProducts(Streamed(factors), {0, 1, 3});
    EXPECT_TRUE(std::isfinite((*inner)[0]));
    for (const std::size_t own : {1, 2, 3}) EXPECT_FALSE(std::isfinite((*inner)[own]));
  }
}

TEST(StreamedProduct, IsFormedWhereThereAreMoreUnitsThanRows) {
  EXPECT_FALSE(FewerWhenFormed({.d_out = 4096, .rank = 1600, .d_in = 4096}, 100));
  EXPECT_TRUE(FewerWhenFormed({.d_out = 512, .rank = 1600, .d_in = 512}, 10));
  EXPECT_FALSE(FewerWhenFormed({.d_out = 512, .rank = 1600, .d_in = 512}, 100));  // 10 000 pairs of parts.
}

}  // namespace
}  // namespace cairn::kernels
