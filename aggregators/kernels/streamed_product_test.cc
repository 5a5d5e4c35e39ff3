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
  const auto out = InnerProducts(Streamed(factors), starts);
  ASSERT_TRUE(out.ok()) << out.status();
  const std::size_t parts = starts.size() - 1;
  for (std::size_t x = 0; x < parts; ++x) {
    for (std::size_t y = 0; y < parts; ++y) {
      const double expected = reference::InnerProduct(DensePart(factors, starts[x], starts[x + 1]),
                                                      DensePart(factors, starts[y], starts[y + 1]));
      EXPECT_NEAR(out->inner[x * parts + y], expected, 1e-13 * out->magnitude) << x << " " << y;
      EXPECT_EQ(out->inner[x * parts + y], out->inner[y * parts + x]);
    }
  }
  const Matrix all = DensePart(factors, 0, factors.a.rows);
  EXPECT_NEAR(*SquaredNorm(Streamed(factors)), reference::InnerProduct(all, all),
              1e-13 * reference::InnerProduct(all, all));
}

TEST(StreamedProduct, EqualsTheDenseOne) {
  ExpectDense(reference::RandomFactors(1, 1, 1, 1), {0, 1});
  ExpectDense(reference::RandomFactors(2, 9, 7, 5), {0, 3, 3, 6, 7});
  ExpectDense(reference::RandomFactors(3, 5, 40, 6), {0, 16, 32, 40});
}

// Wider than a panel, and than what is held: every loop runs more than once.
TEST(StreamedProduct, TakesFactorsOfManyPanels) {
  ExpectDense(reference::RandomFactors(4, 3, 6, (1 << 19) + 5), {0, 2, 6});  // Three units are held, one is read.
}

TEST(StreamedProduct, MagnitudeIsThatOfTheUnits) {
  const Factors factors{{2, 2, {3, 4, 0, 1}}, {1, 2, {2, -10}}};  // Units of norm 10 and 10.
  EXPECT_NEAR(InnerProducts(Streamed(factors), {0, 2})->magnitude, 400, 1e-12);
}

TEST(StreamedProduct, UnitsThatCancelKeepTheirDigits) {
  Factors factors = reference::RandomFactors(5, 30, 2, 25);
  for (std::int64_t j = 0; j < 25; ++j) factors.a.at(1, j) = factors.a.at(0, j);
  for (std::int64_t i = 0; i < 30; ++i) factors.b.at(i, 1) = -factors.b.at(i, 0) * (1 - 0x1p-30);
  const Matrix unit = DensePart(factors, 0, 1);
  const double expected = reference::InnerProduct(unit, unit) * 0x1p-60;
  EXPECT_NEAR(*SquaredNorm(Streamed(factors)), expected, 1e-5 * expected);
}

TEST(StreamedProduct, ValuesThatAreNotFiniteShow) {
  for (const double value : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    Factors factors = reference::RandomFactors(6, 4, 3, 5);
    factors.a.at(1, 2) = value;
    EXPECT_FALSE(std::isfinite(InnerProducts(Streamed(factors), {0, 1, 3})->magnitude));
    EXPECT_FALSE(std::isfinite(*SquaredNorm(Streamed(factors))));
  }
}

}  // namespace
}  // namespace cairn::kernels
