// Of the exact decomposition, and what holds for every way; recompress_sketch_test.cc is about the randomised one.
#include "aggregators/kernels/recompress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>

#include "aggregators/kernels/reference_lowrank.h"

namespace cairn::kernels {
namespace {

using reference::Factors;
using reference::Matrix;
using reference::PairOf;
using ::testing::HasSubstr;

Matrix ProductOf(const Factors& factors) { return reference::Product(factors.b, factors.a); }
Matrix ProductOf(const LowRank& out, std::int64_t d_out, std::int64_t d_in) {
  return reference::Product({d_out, out.rank, out.b}, {out.rank, d_in, out.a});
}

double TailNorm(const std::vector<double>& values, std::size_t from) {
  double sum = 0;
  for (std::size_t i = from; i < values.size(); ++i) sum += values[i] * values[i];
  return std::sqrt(sum);
}

struct Shape {
  std::int64_t d_out, rank, d_in, cut;
};
class RecompressShapes : public ::testing::TestWithParam<Shape> {};

// Eckart and Young: no approximation of that rank is nearer, and its error is the norm of the other singular values.
TEST_P(RecompressShapes, IsTheBestOfItsRankAndSaysHowFarOff) {
  const auto& [d_out, rank, d_in, cut] = GetParam();
  const Factors factors = reference::RandomFactors(7, d_out, rank, d_in, 0.8);
  const Matrix dense = ProductOf(factors);
  const std::vector<double> values = reference::SingularValues(dense);
  const auto out = Recompress(PairOf(factors), Cut::Rank(cut));
  ASSERT_TRUE(out.ok()) << out.status();
  const std::int64_t kept = std::min({cut, d_out, rank, d_in});
  ASSERT_EQ(out->rank, kept);
  ASSERT_EQ(out->singular_values.size(), static_cast<std::size_t>(kept));
  for (std::int64_t i = 0; i < kept; ++i) EXPECT_NEAR(out->singular_values[i], values[i], 1e-12 * values[0]);
  const double error = reference::NormOf(reference::Difference(ProductOf(*out, d_out, d_in), dense));
  EXPECT_NEAR(error, TailNorm(values, kept), 1e-12 * values[0]);
  EXPECT_NEAR(std::sqrt(out->error_squared), error, 1e-12 * values[0]);
  EXPECT_NEAR(std::sqrt(out->norm_squared), reference::NormOf(dense), 1e-12 * values[0]);
}

INSTANTIATE_TEST_SUITE_P(Shapes, RecompressShapes,
                         ::testing::Values(Shape{9, 4, 11, 2}, Shape{20, 5, 3, 2}, Shape{3, 5, 20, 2},
                                           Shape{6, 6, 6, 3}, Shape{6, 6, 6, 6}, Shape{4, 9, 5, 3}, Shape{4, 9, 5, 99},
                                           Shape{1, 1, 1, 1}, Shape{1, 3, 8, 2}, Shape{8, 3, 1, 2},
                                           Shape{12, 1, 10, 1}));

TEST(Recompress, BalancesTheFactorsAndOrdersTheUnits) {
  const Factors factors = reference::RandomFactors(3, 10, 6, 8);
  const auto out = Recompress(PairOf(factors), Cut::Rank(4));
  ASSERT_TRUE(out.ok());
  for (std::int64_t k = 0; k < 4; ++k) {
    double of_a = 0, of_b = 0, largest = 0;
    for (std::int64_t j = 0; j < 8; ++j) of_a += std::pow(out->a[k * 8 + j], 2);
    for (std::int64_t i = 0; i < 10; ++i) {
      of_b += std::pow(out->b[i * 4 + k], 2);
      if (std::abs(out->b[i * 4 + k]) > std::abs(largest)) largest = out->b[i * 4 + k];
    }
    EXPECT_NEAR(of_a, out->singular_values[k], 1e-12);
    EXPECT_NEAR(of_b, out->singular_values[k], 1e-12);
    EXPECT_GT(largest, 0) << "the sign of unit " << k;
    EXPECT_LE(out->singular_values[k], out->singular_values[std::max<std::int64_t>(k, 1) - 1]);
  }
}

// The same product, other factors: units in another order, with other signs, and split differently between A and B.
TEST(Recompress, DependsOnTheProductAlone) {
  const Factors factors = reference::RandomFactors(5, 12, 5, 9, 0.7);
  Factors other = factors;
  const double gauges[] = {1e12, -1e-12, 7, -1, 1e6};
  for (std::int64_t k = 0; k < 5; ++k) {
    for (std::int64_t j = 0; j < 9; ++j) other.a.at(4 - k, j) = factors.a.at(k, j) * gauges[k];
    for (std::int64_t i = 0; i < 12; ++i) other.b.at(i, 4 - k) = factors.b.at(i, k) / gauges[k];
  }
  const auto x = Recompress(PairOf(factors), Cut::Rank(3)), y = Recompress(PairOf(other), Cut::Rank(3));
  ASSERT_TRUE(x.ok() && y.ok());
  for (std::size_t i = 0; i < x->a.size(); ++i) EXPECT_NEAR(x->a[i], y->a[i], 1e-11);
  for (std::size_t i = 0; i < x->b.size(); ++i) EXPECT_NEAR(x->b[i], y->b[i], 1e-11);
  EXPECT_NEAR(x->error_squared, y->error_squared, 1e-11);
}

TEST(Recompress, EnergyKeepsTheLeastRankThatHoldsIt) {
  const Factors factors = reference::RandomFactors(9, 30, 12, 25, 0.6);
  const std::vector<double> values = reference::SingularValues(ProductOf(factors));
  for (const double energy : {0.1, 0.5, 0.9, 0.99, 0.9999}) {
    const auto out = Recompress(PairOf(factors), Cut::Energy(energy));
    ASSERT_TRUE(out.ok());
    const double all = std::pow(TailNorm(values, 0), 2);
    EXPECT_LE(std::pow(TailNorm(values, out->rank), 2), (1 - energy) * all);
    EXPECT_GT(std::pow(TailNorm(values, out->rank - 1), 2), (1 - energy) * all);
  }
}

TEST(Recompress, LosslessDropsOnlyWhatIsNotThere) {
  // Rank 6 as 40 units for a weight of 16 x 16.
  const Factors few = reference::RandomFactors(2, 16, 6, 16), mix = {reference::RandomMatrix(77, 6, 40), {}};
  const Factors many{reference::Product(reference::RandomMatrix(78, 40, 6), few.a), reference::Product(few.b, mix.a)};
  const auto out = Recompress(PairOf(many), Cut::Lossless());
  ASSERT_TRUE(out.ok());
  EXPECT_EQ(out->rank, 6);
  EXPECT_LE(out->error_squared, 1e-24 * out->norm_squared);
  const Factors full = reference::RandomFactors(4, 16, 40, 16);
  EXPECT_EQ(Recompress(PairOf(full), Cut::Lossless())->rank, 16);
}

TEST(Recompress, ZeroIsOneUnitOfZeros) {
  const Factors zero{Matrix::Zero(3, 5), reference::RandomMatrix(1, 4, 3)};
  for (const Cut& cut : {Cut::Rank(2), Cut::Energy(0.9), Cut::Lossless()}) {
    const auto out = Recompress(PairOf(zero), cut);
    ASSERT_TRUE(out.ok());
    EXPECT_EQ(out->rank, 1);
    EXPECT_THAT(out->a, ::testing::ElementsAre(0, 0, 0, 0, 0));
    EXPECT_THAT(out->b, ::testing::ElementsAre(0, 0, 0, 0));
    EXPECT_EQ(out->error_squared, 0);
  }
}

// Zero by cancelling, which no single unit shows.
TEST(Recompress, UnitsThatCancelGiveNoNan) {
  const Factors one = reference::RandomFactors(1, 6, 2, 5);
  Factors minus = one;
  for (double& value : minus.b.values) value = -value;
  const auto out = Recompress(PairOf(reference::Stacked({one, minus})), Cut::Rank(3));
  ASSERT_TRUE(out.ok());
  EXPECT_LE(out->norm_squared, 1e-28);
  for (const double value : out->a) EXPECT_LE(std::abs(value), 1e-6);
}

TEST(Recompress, FloatsKeepTheirPrecision) {
  const reference::FloatFactors factors(reference::RandomFactors(8, 14, 6, 10, 0.5));
  const Matrix dense = ProductOf(factors.exact());
  const auto out = Recompress(factors.pair(), Cut::Rank(6));
  ASSERT_TRUE(out.ok());
  EXPECT_LE(reference::NormOf(reference::Difference(ProductOf(*out, 14, 10), dense)), 1e-13 * reference::NormOf(dense));
}

TEST(Recompress, RefusesWhatIsNoProduct) {
  const std::vector<float> six(6, 1), five(5, 1), nan = {1, 2, std::numeric_limits<float>::quiet_NaN()};
  const std::vector<float> one = {1};
  const auto code = [](const auto& result) { return result.status().code(); };
  constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
  EXPECT_EQ(code(Recompress(FactorPair<float>{six, five, 3, 2, 3}, Cut::Rank(1))), kInvalid);
  EXPECT_EQ(code(Recompress(FactorPair<float>{nan, one, 1, 1, 3}, Cut::Rank(1))), kInvalid);
  EXPECT_EQ(code(Recompress(FactorPair<float>{six, six, 3, 2, 3}, Cut::Rank(-1))), kInvalid);
  EXPECT_EQ(code(Recompress(FactorPair<float>{six, six, 3, 2, 3}, Cut::Energy(1.5))), kInvalid);
  EXPECT_EQ(code(Recompress(FactorPair<float>{six, six, 3, 2, 3}, Cut::Energy(0))), kInvalid);
}

TEST(Recompress, RefusesADeviceThatIsNotThere) {
  EXPECT_TRUE(CheckDevice("cpu").ok());
  for (const char* device : {"gpu", "", "cuda:99", "cuda", "cuda:x"}) {
    const absl::Status status = CheckDevice(device);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << device;
    EXPECT_THAT(std::string(status.message()), HasSubstr("expected cpu"));
  }
}

}  // namespace
}  // namespace cairn::kernels
