#include "aggregators/kernels/product.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "aggregators/kernels/reference_lowrank.h"

namespace cairn::kernels {
namespace {

using reference::Factors;
using reference::Matrix;
using reference::PairOf;

Matrix Dense(const Factors& factors, double scale) {
  return reference::DenseSum({{.weight = 1, .scale = scale, .a = factors.a, .b = factors.b}});
}

TEST(NormOf, EqualsTheDenseNorm) {
  std::uint64_t seed = 0;
  for (const auto& [d_out, rank, d_in] : {std::tuple(1, 1, 1), {5, 3, 2}, {17, 4, 9}, {3, 6, 2}, {8, 8, 8}}) {
    const Factors factors = reference::RandomFactors(++seed, d_out, rank, d_in);
    const double dense = reference::NormOf(Dense(factors, -0.3));
    EXPECT_NEAR(*NormOf({-0.3, PairOf(factors)}), dense, 1e-14 * dense);
  }
}

TEST(NormOf, ZeroAndCancelledUnits) {
  const Factors zero{Matrix::Zero(2, 3), reference::RandomMatrix(1, 4, 2)};
  EXPECT_EQ(*NormOf({1, PairOf(zero)}), 0);
  const std::vector<double> a = {1, 2, 1, 2}, b = {0.1, -0.1};
  EXPECT_LE(*NormOf({1, {a, b, 1, 2, 2}}), 1e-16);
}

// Both factors ill-conditioned: A's rows are nearly equal, and each unit is split between the factors as 1e12 to 1.
TEST(NormOf, SurvivesIllConditionedFactorsAndGauges) {
  const Factors well = reference::RandomFactors(4, 20, 2, 15);
  Factors ill = well;  // (b1, a1), (b2, a2) as (b1 + b2, a1), (b2, a2 - a1): the same product; then gauges.
  for (std::int64_t i = 0; i < 20; ++i) ill.b.at(i, 0) = (well.b.at(i, 0) + well.b.at(i, 1)) / 1e12;
  for (std::int64_t i = 0; i < 20; ++i) ill.b.at(i, 1) = well.b.at(i, 1) * 1e12;
  for (std::int64_t j = 0; j < 15; ++j) ill.a.at(0, j) = well.a.at(0, j) * 1e12;
  for (std::int64_t j = 0; j < 15; ++j) ill.a.at(1, j) = (well.a.at(1, j) - well.a.at(0, j)) / 1e12;
  const double norm = reference::NormOf(Dense(well, 1));
  EXPECT_NEAR(*NormOf({1, PairOf(ill)}), norm, 1e-14 * norm);
}

TEST(NormOfSum, OfNearlyEqualProductsKeepsItsDigits) {
  // A sum of three that differs from a fourth by 1e-9 of its norm: squares would differ by 1e-18.
  const Factors whole = reference::RandomFactors(1, 30, 4, 25), small = reference::RandomFactors(2, 30, 1, 25);
  const double distance = reference::NormOf(Dense(small, 1e-9));
  const auto result =
      NormOfSum({{0.25, PairOf(whole)}, {0.75, PairOf(whole)}, {1e-9, PairOf(small)}, {-1, PairOf(whole)}});
  ASSERT_TRUE(result.ok());
  EXPECT_NEAR(*result, distance, 1e-5 * distance);
}

TEST(NormOfSum, TakesMoreUnitsThanDimensions) {
  const Factors x = reference::RandomFactors(1, 5, 4, 6), y = reference::RandomFactors(2, 5, 7, 6);
  Matrix dense = Dense(x, 2);
  const Matrix other = Dense(y, -3);
  for (std::size_t i = 0; i < dense.values.size(); ++i) dense.values[i] += other.values[i];
  EXPECT_NEAR(*NormOfSum({{2, PairOf(x)}, {-3, PairOf(y)}}), reference::NormOf(dense), 1e-13);
}

TEST(UnitInnerProducts, AreThoseOfTheConcatenatedUnits) {
  const Factors units = reference::RandomFactors(3, 5, 4, 6);
  const auto result = UnitInnerProducts(PairOf(units));
  ASSERT_TRUE(result.ok());
  for (std::int64_t k = 0; k < 4; ++k) {
    for (std::int64_t l = 0; l < 4; ++l) {
      double sum = 0;
      for (std::int64_t j = 0; j < 6; ++j) sum += units.a.at(k, j) * units.a.at(l, j);
      for (std::int64_t i = 0; i < 5; ++i) sum += units.b.at(i, k) * units.b.at(i, l);
      EXPECT_NEAR((*result)[k * 4 + l], sum, 1e-14);
    }
  }
}

TEST(Products, RefuseWhatDoesNotFit) {
  const Factors x = reference::RandomFactors(1, 5, 2, 6), y = reference::RandomFactors(1, 5, 2, 7);
  Factors nan = x;
  nan.a.at(1, 1) = std::numeric_limits<double>::infinity();
  constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
  EXPECT_EQ(NormOfSum({}).status().code(), kInvalid);
  EXPECT_EQ(NormOfSum({{1, PairOf(x)}, {1, PairOf(y)}}).status().code(), kInvalid);
  EXPECT_EQ(NormOf({1, PairOf(nan)}).status().code(), kInvalid);
}

}  // namespace
}  // namespace cairn::kernels
