#include "aggregators/recompressed.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "aggregators/kernels/reference.h"

namespace cairn {
namespace {

using kernels::Cut;
using kernels::reference::Matrix;
using kernels::reference::Product;

std::vector<double> Random(std::int64_t count, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<double> values(static_cast<std::size_t>(count));
  for (double& value : values) value = static_cast<double>(static_cast<std::int64_t>(random() >> 40)) * 0x1p-23 - 1;
  return values;
}

// Factors whose product has rank `rank` in every group.
CombinedModule RandomModule(std::int64_t d_in, std::int64_t d_out, std::int64_t rank, std::int64_t groups = 1) {
  CombinedModule module{.spec = {"m", d_in, d_out, {}}, .rank = rank, .rank_in = rank};
  if (groups > 1) module.spec.layer = {Layer::Kind::kConv2d, 1, 1, groups};
  module.a = ValuesOf(Random(rank * d_in, 1), rank, d_in);
  module.b = ValuesOf(Random(d_out * rank / groups, 2), d_out, rank / groups);
  return module;
}

// The twin: the dense change, group below group.
Matrix Dense(const CombinedModule& module) {
  const std::int64_t groups = module.spec.layer.groups, units = module.rank / groups;
  const std::int64_t rows = module.spec.d_out / groups;
  Matrix dense{module.spec.d_out, module.spec.d_in, {}};
  for (std::int64_t g = 0; g < groups; ++g) {
    const Matrix a{units, module.spec.d_in, ReadAllDouble(*Part(module.a, g * units, units, module.spec.d_in))};
    const Matrix b{rows, units, ReadAllDouble(*Part(module.b, g * rows, rows, units))};
    const Matrix part = Product(b, a);
    dense.values.insert(dense.values.end(), part.values.begin(), part.values.end());
  }
  return dense;
}

double SquaredDistance(const Matrix& x, const Matrix& y, double factor = 1) {
  double sum = 0;
  for (std::size_t i = 0; i < x.values.size(); ++i) sum += std::pow(x.values[i] - factor * y.values[i], 2);
  return sum;
}

TEST(Recompress, AtFullRankNothingIsLost) {
  const CombinedModule module = RandomModule(9, 7, 5);
  const auto cut = Recompress(module, Cut::Rank(5), "cpu", Precision::kDouble);
  ASSERT_TRUE(cut.ok()) << cut.status();
  EXPECT_EQ(cut->rank, 5);
  EXPECT_LT(SquaredDistance(Dense(*cut), Dense(module)), 1e-24);
  EXPECT_LT(cut->deviation->relative(), 1e-7);
}

TEST(Recompress, SaysHowFarItIs) {
  for (const Precision precision : {Precision::kFloat, Precision::kDouble}) {
    const CombinedModule module = RandomModule(12, 10, 8);
    const auto cut = Recompress(module, Cut::Rank(3), "cpu", precision);
    ASSERT_TRUE(cut.ok()) << cut.status();
    EXPECT_EQ(cut->rank, 3);
    EXPECT_EQ(cut->rank_in, 8);
    const double error = SquaredDistance(Dense(*cut), Dense(module));
    EXPECT_NEAR(cut->deviation->error_squared, error, 1e-5 * error);
    EXPECT_GT(error, 0);
  }
}

TEST(Recompress, GroupsAreCutByThemselvesToOneRank) {
  const CombinedModule module = RandomModule(6, 8, 12, 2);
  const auto cut = Recompress(module, Cut::Rank(4), "cpu", Precision::kDouble);
  ASSERT_TRUE(cut.ok()) << cut.status();
  EXPECT_EQ(cut->rank, 4);
  EXPECT_EQ(cut->a->rows(), 4);
  EXPECT_EQ(cut->b->columns(), 2);
  const double error = SquaredDistance(Dense(*cut), Dense(module));
  EXPECT_NEAR(cut->deviation->error_squared, error, 1e-9 * error);
  // As many groups as units: each group still gets one.
  EXPECT_EQ(Recompress(module, Cut::Rank(1), "cpu")->rank, 2);
}

TEST(Recompress, AnEnergyIsThatOfTheGroupThatNeedsMost) {
  CombinedModule module = RandomModule(6, 8, 8, 2);
  std::vector<double> b = ReadAllDouble(*module.b);
  for (std::size_t i = 0; i < 4 * 4; ++i) b[i] = i % 4 == 0 ? b[i] : 0;  // The first group has rank 1.
  module.b = ValuesOf(b, 8, 4);
  const auto cut = Recompress(module, Cut::Energy(1), "cpu", Precision::kDouble);
  ASSERT_TRUE(cut.ok()) << cut.status();
  EXPECT_EQ(cut->rank, 8);
  EXPECT_LT(SquaredDistance(Dense(*cut), Dense(module)), 1e-20);
}

TEST(Recompress, ValuesThatAreNotFiniteAreOutOfRange) {
  CombinedModule module = RandomModule(4, 4, 2);
  module.b = ValuesOf(std::vector<double>(8, std::numeric_limits<double>::quiet_NaN()), 4, 2);
  EXPECT_EQ(Recompress(module, Cut::Rank(1), "cpu").status().code(), absl::StatusCode::kOutOfRange);
}

TEST(Recompress, NamesTheModule) {
  const auto cut = Recompress(RandomModule(4, 4, 2), Cut::Rank(1), "tpu:0");
  EXPECT_EQ(cut.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(cut.status().message()), ::testing::HasSubstr("module \"m\""));
}

TEST(Recipient, GetsTheBestOfItsRankInItsScale) {
  for (const std::int64_t groups : {1, 2}) {
    const CombinedModule module = RandomModule(10, 8, 8, groups);
    const auto widest = Recompress(module, Cut::Rank(6), "cpu", Precision::kDouble);
    ASSERT_TRUE(widest.ok()) << widest.status();
    const CombinedModule cut = RecipientOf(*widest, {.rank = 2, .alpha = 6});
    const auto best = Recompress(module, Cut::Rank(2), "cpu", Precision::kDouble);
    EXPECT_EQ(cut.rank, 2);
    EXPECT_LT(SquaredDistance(Dense(*best), Dense(cut), 3), 1e-20);  // scale * B * A, scale = 6 / 2
    EXPECT_NEAR(cut.deviation->error_squared, best->deviation->error_squared, 1e-9);
  }
}

TEST(Recipient, OfAHigherRankGetsWhatThereIs) {
  const auto cut = Recompress(RandomModule(10, 8, 4), Cut::Rank(4), "cpu");
  EXPECT_EQ(RecipientOf(*cut, {.rank = 16}).rank, 4);
  EXPECT_EQ(ScaleOf({.rank = 16}), 1);
}

}  // namespace
}  // namespace cairn
