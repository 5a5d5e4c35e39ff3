#include "aggregators/kernels/recompress_rows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "aggregators/kernels/reference_lowrank.h"

namespace cairn::kernels {
namespace {

using reference::Factors;
using reference::Matrix;

MatrixRows RowsOf(const Matrix& matrix) {
  return {matrix.rows, matrix.columns, [&matrix](std::int64_t first, absl::Span<double> out) {
            std::copy_n(matrix.values.begin() + first * matrix.columns, out.size(), out.begin());
            return absl::OkStatus();
          }};
}

Matrix ProductOf(const LowRank& out, const Matrix& like) {
  return reference::Product({like.rows, out.rank, out.b}, {out.rank, like.columns, out.a});
}

double ErrorOf(const LowRank& out, const Matrix& matrix) {
  return reference::NormOf(reference::Difference(ProductOf(out, matrix), matrix));
}

double TailNorm(const std::vector<double>& values, std::size_t from) {
  double sum = 0;
  for (std::size_t i = from; i < values.size(); ++i) sum += values[i] * values[i];
  return std::sqrt(sum);
}

// Of full rank, with singular values that fall about as k^-power; the first is about 1.
Matrix Decaying(std::int64_t rows, std::int64_t columns, double power) {
  const std::int64_t rank = std::min(rows, columns);
  Factors factors = reference::RandomFactors(1, rows, rank, columns);
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t k = 0; k < rank; ++k) factors.b.at(i, k) *= std::pow(k + 1, -power);
  }
  return reference::Product(factors.b, factors.a);
}

struct Shape {
  std::int64_t rows, columns, rank;
};
class RecompressRowsShapes : public ::testing::TestWithParam<Shape> {};

TEST_P(RecompressRowsShapes, IsWithinAHundredthOfTheBestAndSaysHowFarOff) {
  const auto& [rows, columns, rank] = GetParam();
  for (const double power : {0.0, 0.5, 1.0, 2.0, 4.0}) {
    const Matrix matrix = Decaying(rows, columns, power);
    const std::vector<double> values = reference::SingularValues(matrix);
    const auto out = RecompressRows(RowsOf(matrix), Cut::Rank(rank));
    ASSERT_TRUE(out.ok()) << out.status();
    const std::int64_t kept = std::min({rank, rows, columns});
    ASSERT_EQ(out->rank, kept);
    const double error = ErrorOf(*out, matrix);
    const bool exact = 2 * (rank + std::max<std::int64_t>(16, rank / 2)) > std::min(rows, columns);
    EXPECT_LE(error, (exact ? 1 : 1.01) * TailNorm(values, kept) + 1e-13 * values[0]) << "power " << power;
    EXPECT_NEAR(std::sqrt(out->error_squared), error, 1e-12 * values[0]) << "power " << power;
    EXPECT_NEAR(std::sqrt(out->norm_squared), reference::NormOf(matrix), 1e-12 * values[0]);
  }
}

// Sketched and exact ones, tall, wide and square.
INSTANTIATE_TEST_SUITE_P(Shapes, RecompressRowsShapes,
                         ::testing::Values(Shape{150, 60, 8}, Shape{60, 150, 8}, Shape{80, 80, 24}, Shape{80, 80, 25},
                                           Shape{150, 132, 40}, Shape{40, 90, 30}, Shape{7, 5, 3}, Shape{5, 7, 9},
                                           Shape{1, 1, 1}, Shape{1, 9, 2}, Shape{9, 1, 2}));

// Otherwise small errors would be the roots of rounding errors.
TEST(RecompressRows, KnowsThatAMatrixOfLowRankLosesNothing) {
  for (const std::int64_t rank : {1, 6}) {
    const Factors factors = reference::RandomFactors(3, 120, rank, 90);
    const Matrix matrix = reference::Product(factors.b, factors.a);
    const auto out = RecompressRows(RowsOf(matrix), Cut::Rank(8));
    ASSERT_TRUE(out.ok());
    EXPECT_EQ(out->rank, 8);
    EXPECT_LE(ErrorOf(*out, matrix), 1e-14 * reference::NormOf(matrix));
    EXPECT_LE(out->error_squared, 1e-28 * out->norm_squared);
    EXPECT_EQ(RecompressRows(RowsOf(matrix), Cut::Lossless())->rank, rank);
  }
}

// The same matrix with its factors known.
TEST(RecompressRows, GivesTheUnitsThatRecompressGives) {
  const Factors factors = reference::RandomFactors(5, 100, 12, 70, 0.7);
  const Matrix matrix = reference::Product(factors.b, factors.a);
  const auto x = RecompressRows(RowsOf(matrix), Cut::Rank(4));
  const auto y = Recompress(reference::PairOf(factors), Cut::Rank(4));
  ASSERT_TRUE(x.ok() && y.ok());
  for (std::size_t i = 0; i < y->a.size(); ++i) EXPECT_NEAR(x->a[i], y->a[i], 1e-9);
  for (std::size_t i = 0; i < y->b.size(); ++i) EXPECT_NEAR(x->b[i], y->b[i], 1e-9);
}

TEST(RecompressRows, EnergyKeepsTheLeastRankThatHoldsIt) {
  const Matrix matrix = Decaying(140, 130, 1.5);
  const std::vector<double> values = reference::SingularValues(matrix);
  const double all = std::pow(TailNorm(values, 0), 2);
  for (const double energy : {0.1, 0.9, 0.99, 0.9999, 1 - 1e-9}) {
    const auto out = RecompressRows(RowsOf(matrix), Cut::Energy(energy));
    ASSERT_TRUE(out.ok()) << out.status();
    EXPECT_LE(out->error_squared, (1 - energy) * all * (1 + 1e-9)) << energy;
    EXPECT_GT(std::pow(1.001 * TailNorm(values, out->rank - 1), 2), (1 - energy) * all) << energy;
  }
  EXPECT_EQ(RecompressRows(RowsOf(matrix), Cut::Lossless())->rank, 130);
}

TEST(RecompressRows, ZeroIsOneUnitOfZeros) {
  for (const std::int64_t size : {3, 64}) {
    const Matrix zero = Matrix::Zero(size, size + 1);
    for (const Cut& cut : {Cut::Rank(2), Cut::Energy(0.9), Cut::Lossless()}) {
      const auto out = RecompressRows(RowsOf(zero), cut);
      ASSERT_TRUE(out.ok()) << out.status();
      EXPECT_EQ(out->rank, 1);
      EXPECT_EQ(out->a, std::vector<double>(size + 1));
      EXPECT_EQ(out->b, std::vector<double>(size));
      EXPECT_EQ(out->error_squared, 0);
    }
  }
}

TEST(RecompressRows, TakesValuesOfAnySizeThatFloatsHave) {
  for (const double scale : {1e38, 1e-38}) {
    Matrix matrix = Decaying(60, 50, 1);
    for (double& value : matrix.values) value *= scale;
    const auto out = RecompressRows(RowsOf(matrix), Cut::Rank(4));
    ASSERT_TRUE(out.ok()) << out.status();
    EXPECT_NEAR(out->singular_values[0] / scale, reference::SingularValues(Decaying(60, 50, 1))[0], 1e-9);
  }
}

// More rows than one block holds.
TEST(RecompressRows, ReadsEveryRowOncePerPassInBlocksOf16MiB) {
  constexpr std::int64_t kRows = 2200, kColumns = 1000;
  std::int64_t next = 0, most = 0, passes = 0;
  const MatrixRows matrix = {kRows, kColumns, [&](std::int64_t first, absl::Span<double> out) {
                               EXPECT_EQ(first, next % kRows);
                               passes += first == 0;
                               next = first + static_cast<std::int64_t>(out.size()) / kColumns;
                               most = std::max(most, static_cast<std::int64_t>(out.size()));
                               for (std::size_t i = 0; i < out.size(); ++i) {
                                 const auto row = first + static_cast<std::int64_t>(i) / kColumns;
                                 out[i] = static_cast<double>(row % 7 - 3);
                               }
                               return absl::OkStatus();
                             }};
  const auto out = RecompressRows(matrix, Cut::Rank(1));
  ASSERT_TRUE(out.ok()) << out.status();
  EXPECT_EQ(passes, 3);
  EXPECT_EQ(next, kRows);
  EXPECT_LE(most * sizeof(double), 16u << 20);
  EXPECT_LE(out->error_squared, 1e-28 * out->norm_squared);
  EXPECT_NEAR(out->a[0] * out->b[2199], 2199 % 7 - 3, 1e-12);
}

TEST(RecompressRows, RefusesWhatIsNoMatrix) {
  const Matrix matrix = reference::RandomMatrix(1, 4, 3);
  for (const Cut& cut : {Cut::Rank(-1), Cut::Energy(0), Cut::Energy(1.5)}) {
    EXPECT_EQ(RecompressRows(RowsOf(matrix), cut).status().code(), absl::StatusCode::kInvalidArgument);
  }
  EXPECT_EQ(RecompressRows({0, 3, {}}, Cut::Rank(1)).status().code(), absl::StatusCode::kInvalidArgument);
  for (const std::int64_t size : {4, 80}) {
    for (const double value : {std::numeric_limits<double>::quiet_NaN(), -std::numeric_limits<double>::infinity()}) {
      Matrix bad = reference::RandomMatrix(1, size, size);
      bad.values[size + 1] = value;
      EXPECT_EQ(RecompressRows(RowsOf(bad), Cut::Rank(1)).status().code(), absl::StatusCode::kOutOfRange);
    }
  }
}

// In every pass.
TEST(RecompressRows, PassesOnWhatTheReaderSays) {
  const Matrix matrix = reference::RandomMatrix(1, 80, 80);
  for (int fails = 0; fails < 3; ++fails) {
    int pass = 0;
    const MatrixRows failing = {80, 80, [&](std::int64_t first, absl::Span<double> out) {
                                  if (pass++ == fails) return absl::DataLossError("file is cut short");
                                  return RowsOf(matrix).read(first, out);
                                }};
    EXPECT_EQ(RecompressRows(failing, Cut::Rank(2)).status(), absl::DataLossError("file is cut short"));
  }
}

}  // namespace
}  // namespace cairn::kernels
