#include "aggregators/module_sum.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "base/limits.h"

namespace cairn {
namespace {

using ::testing::HasSubstr;
using Matrix = std::vector<double>;  // [d_out, d_in]

CombinedModule Random(const ModuleSpec& spec, std::int64_t rank, int seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> uniform(-1, 1);
  const auto matrix = [&](std::int64_t rows, std::int64_t columns) {
    std::vector<float> values(rows * columns);
    for (float& value : values) value = uniform(random);
    return ValuesOf(std::move(values), rows, columns);
  };
  CombinedModule module{.spec = spec, .rank = rank};
  module.a = matrix(rank, spec.d_in);
  module.b = matrix(spec.d_out, rank / spec.layer.groups);
  return module;
}

// What the module adds to the weight, the slow way.
Matrix Dense(const CombinedModule& module) {
  const auto& [name, d_in, d_out, layer] = module.spec;
  Matrix sum(d_out * d_in, 0);
  if (module.rank == 0) return sum;
  const std::vector<double> a = ReadAllDouble(*module.a), b = ReadAllDouble(*module.b);
  const std::int64_t units = module.rank / layer.groups, rows = d_out / layer.groups;
  for (std::int64_t i = 0; i < d_out; ++i) {
    for (std::int64_t k = 0; k < units; ++k) {
      for (std::int64_t j = 0; j < d_in; ++j) {
        sum[i * d_in + j] += b[i * units + k] * a[(i / rows * units + k) * d_in + j];
      }
    }
  }
  return sum;
}

Matrix operator+(Matrix x, const Matrix& y) {
  for (std::size_t i = 0; i < x.size(); ++i) x[i] += y[i];
  return x;
}

void ExpectNear(const Matrix& got, const Matrix& expected, double tolerance = 1e-12) {
  ASSERT_EQ(got.size(), expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], expected[i], tolerance) << i;
}

const ModuleSpec kTall{"tall", 5, 9}, kWide{"wide", 9, 5};
const ModuleSpec kGrouped{"grouped", 4, 12, {Layer::Kind::kConv2d, 2, 1, 2}};  // Groups of 6 rows; full rank 8.
const ModuleSpec kNarrow{"narrow", 9, 6, {Layer::Kind::kConv2d, 3, 1, 2}};     // Groups of 3 rows; full rank 6.

TEST(FullRank, IsTheSmallerSideOfEveryGroup) {
  EXPECT_EQ(FullRank(kTall), 5);
  EXPECT_EQ(FullRank(kWide), 5);
  EXPECT_EQ(FullRank(kGrouped), 8);
  EXPECT_EQ(FullRank(kNarrow), 6);
}

TEST(Concatenated, HasTheUnitsOfBothInOrder) {
  for (const ModuleSpec& spec : {kTall, kGrouped}) {
    const CombinedModule x = Random(spec, 4, 1), y = Random(spec, 2, 2);
    const CombinedModule sum = Concatenated(x, y);
    EXPECT_EQ(sum.rank, 6);
    ExpectNear(Dense(sum), Dense(x) + Dense(y));
    ExpectNear(Dense(UnitsOf(sum, 0, 4)), Dense(x), 0);
    ExpectNear(Dense(UnitsOf(sum, 4, 2)), Dense(y), 0);
    EXPECT_EQ(UnitsOf(sum, 6, 0).rank, 0);
    ExpectNear(Dense(Concatenated(UnitsOf(sum, 6, 0), y)), Dense(y), 0);
  }
}

TEST(BoundedSum, IsTheConcatenationUpToTheFullRank) {
  const CombinedModule x = Random(kTall, 3, 1), y = Random(kTall, 2, 2);
  const auto sum = BoundedSum(x, y);
  ASSERT_TRUE(sum.ok()) << sum.status();
  EXPECT_EQ(sum->rank, 5);
  EXPECT_EQ(ReadAllDouble(*UnitsOf(*sum, 0, 3).a), ReadAllDouble(*x.a));
}

// Round after round, in all four shapes: with and without groups, with the identity on either side.
TEST(BoundedSum, KeepsTheSumAndNotTheRank) {
  for (const ModuleSpec& spec : {kTall, kWide, kGrouped, kNarrow}) {
    CombinedModule sum{.spec = spec};
    Matrix expected = Dense(sum);
    for (int round = 1; round <= 20; ++round) {
      const CombinedModule change = Random(spec, 4, round);
      auto next = BoundedSum(sum, change);
      ASSERT_TRUE(next.ok()) << next.status();
      // As the next round finds it: written and read again.
      sum = CombinedModule{.spec = spec, .rank = next->rank};
      sum.a = ValuesOf(ReadAllDouble(*next->a), next->a->rows(), next->a->columns());
      sum.b = ValuesOf(ReadAllDouble(*next->b), next->b->rows(), next->b->columns());
      expected = expected + Dense(change);
      EXPECT_LE(sum.rank, FullRank(spec));
      EXPECT_EQ(sum.b->columns() * spec.layer.groups, sum.rank);
    }
    EXPECT_EQ(sum.rank, FullRank(spec));
    ExpectNear(Dense(sum), expected, 1e-10);
  }
}

TEST(BoundedSum, CutsASingleChangeThatIsTooWideAlone) {
  const CombinedModule wide = Random(kWide, 11, 1);
  const auto sum = BoundedSum({.spec = kWide}, wide);
  ASSERT_TRUE(sum.ok()) << sum.status();
  EXPECT_EQ(sum->rank, 5);
  ExpectNear(Dense(*sum), Dense(wide));
}

// Every block of rows that a reader may ask for is the same.
TEST(BoundedSum, ReadsTheSameInBlocksOfAnySize) {
  const auto sum = BoundedSum(Random(kGrouped, 8, 1), Random(kGrouped, 2, 2));
  ASSERT_TRUE(sum.ok());
  const std::vector<float> whole = ReadAll(*sum->b);
  for (std::int64_t rows : {1, 5, 7}) {
    for (std::int64_t first = 0; first + rows <= sum->b->rows(); first += rows) {
      std::vector<float> block(rows * sum->b->columns());
      sum->b->Read(first, absl::MakeSpan(block));
      const std::vector<float> expected(whole.begin() + first * sum->b->columns(),
                                        whole.begin() + (first + rows) * sum->b->columns());
      EXPECT_EQ(block, expected);
    }
  }
}

TEST(BoundedSum, RefusesARankThatNoFileMayHave) {
  const ModuleSpec huge{"huge", limits::kRankMax + 2, limits::kRankMax + 2};
  // Only the numbers are looked at.
  const FactorPtr none = ValuesOf(std::vector<float>{}, 0, 1);
  const CombinedModule x{.spec = huge, .rank = limits::kRankMax, .a = none, .b = none};
  const CombinedModule y{.spec = huge, .rank = 1, .a = none, .b = none};
  const absl::Status refused = BoundedSum(x, y).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(refused.message(), HasSubstr("\"huge\""));
  EXPECT_THAT(refused.message(), HasSubstr("65537"));
}

}  // namespace
}  // namespace cairn
