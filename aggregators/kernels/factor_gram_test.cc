#include "aggregators/kernels/factor_gram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "aggregators/kernels/reference_lowrank.h"

namespace cairn::kernels {
namespace {

using reference::Factors;
using reference::Matrix;

// Views into `factors`, whose B is given transposed.
UnitFactors UnitsOf(const Factors& factors) {
  const auto read_a = [&factors](std::int64_t first, absl::Span<double> units) {
    std::copy_n(factors.a.values.begin() + first * factors.a.columns, units.size(), units.begin());
    return absl::OkStatus();
  };
  const auto read_b = [&factors](std::int64_t first, absl::Span<double> units) {
    const std::int64_t rows = factors.b.rows;
    for (std::size_t i = 0; i < units.size(); ++i) {
      const auto at = static_cast<std::int64_t>(i);
      units[i] = factors.b.at(at % rows, first + at / rows);
    }
    return absl::OkStatus();
  };
  return {factors.b.rows, factors.a.rows, factors.a.columns, read_a, read_b};
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

void ExpectDense(const UnitFactors& units, const Factors& factors, const std::vector<std::int64_t>& starts) {
  const auto out = InnerProducts(units, starts);
  ASSERT_TRUE(out.ok()) << out.status();
  const std::size_t parts = starts.size() - 1;
  for (std::size_t x = 0; x < parts; ++x) {
    for (std::size_t y = 0; y < parts; ++y) {
      const double expected = reference::InnerProduct(DensePart(factors, starts[x], starts[x + 1]),
                                                      DensePart(factors, starts[y], starts[y + 1]));
      EXPECT_NEAR(out->inner[x * parts + y], expected, 1e-13 * out->magnitude()) << x << " " << y;
      EXPECT_EQ(out->inner[x * parts + y], out->inner[y * parts + x]);
    }
  }
}

void ExpectDense(const Factors& factors, const std::vector<std::int64_t>& starts) {
  ExpectDense(UnitsOf(factors), factors, starts);
}

TEST(FactorGram, EqualsTheDenseOne) {
  ExpectDense(reference::RandomFactors(1, 1, 1, 1), {0, 1});
  ExpectDense(reference::RandomFactors(2, 9, 7, 5), {0, 3, 3, 6, 7});
  ExpectDense(reference::RandomFactors(3, 5, 40, 6), {0, 16, 32, 40});
}

// Panels meet others, before them and whole.
TEST(FactorGram, TakesFactorsOfManyPanels) {
  const Factors factors = reference::RandomFactors(4, 3, 7, 5);
  UnitFactors units = UnitsOf(factors);
  for (const std::int64_t panel : {1, 8, 3 * 8, 5 * 8}) {  // 1, 1, 3 and 5 units.
    units.panel = panel;
    ExpectDense(units, factors, {0, 2, 4, 7});
  }
}

TEST(FactorGram, AUnitThatCannotBeReadEndsIt) {
  const Factors factors = reference::RandomFactors(4, 3, 7, 5);
  UnitFactors units = UnitsOf(factors);
  units.panel = 8;
  units.b = [b = units.b](std::int64_t first, absl::Span<double> out) {
    return first == 5 ? absl::ResourceExhaustedError("no memory") : b(first, out);
  };
  EXPECT_EQ(InnerProducts(units, {0, 7}).status().message(), "no memory");
}

TEST(FactorGram, TakesManyBlocksOfOnePanel) {
  ExpectDense(reference::RandomFactors(5, 3, 600, 4), {0, 100, 257, 300, 600});
}

TEST(FactorGram, MagnitudeIsThatOfTheUnits) {
  const Factors factors{{2, 2, {3, 4, 0, 1}}, {1, 2, {2, -10}}};  // Units of norm 10 and 10.
  EXPECT_NEAR(InnerProducts(UnitsOf(factors), {0, 2})->magnitude(), 400, 1e-12);
}

TEST(FactorGram, ValuesThatAreNotFiniteShow) {
  for (const double value : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    Factors factors = reference::RandomFactors(6, 4, 3, 5);
    factors.a.at(1, 2) = value;
    const auto products = InnerProducts(UnitsOf(factors), {0, 1, 3});
    EXPECT_FALSE(std::isfinite(products->magnitude()));
    EXPECT_TRUE(std::isfinite(products->inner[0]));
    for (const std::size_t own : {1, 2, 3}) EXPECT_FALSE(std::isfinite(products->inner[own]));
  }
}

}  // namespace
}  // namespace cairn::kernels
