// The twins against results worked out by hand.
#include "aggregators/kernels/reference_robust.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace cairn::kernels::reference {
namespace {

using ::testing::DoubleEq;
using ::testing::ElementsAre;
using ::testing::Pointwise;

constexpr double kRounding = 1e-12;

Columns OnALine(std::initializer_list<double> values) {
  Columns columns;
  for (const double value : values) columns.push_back({value});
  return columns;
}

auto Is(const Vector& expected) { return Pointwise(::testing::DoubleNear(kRounding), expected); }

TEST(LeftSingular, OfMoreRowsAndOfMoreColumns) {
  for (const Columns& x : {Columns{{0, 3, 4}, {2, 0, 0}}, Columns{{0, 3}, {2, 0}, {0, 4}}}) {
    const LeftSingular found = LeftSingularOf(x);
    EXPECT_NEAR(found.values[0], 5, kRounding);
    EXPECT_NEAR(found.values[1], 2, kRounding);
    EXPECT_NEAR(std::abs(found.vectors[1][0]), 1, kRounding);
    EXPECT_NEAR(Dot(found.vectors[0], found.vectors[1]), 0, kRounding);
    EXPECT_NEAR(Norm(found.vectors[0]), 1, kRounding);
  }
}

TEST(LeftSingular, OfColumnsThatDependOnEachOther) {
  const LeftSingular found = LeftSingularOf({{1, 2, 2}, {2, 4, 4}, {-1, -2, -2}});
  EXPECT_NEAR(found.values[0], std::sqrt(54), kRounding);
  EXPECT_NEAR(std::abs(Dot(found.vectors[0], {1.0 / 3, 2.0 / 3, 2.0 / 3})), 1, kRounding);
  EXPECT_NEAR(found.values[1], 0, kRounding);
}

// Squared distances to the two nearest: 5, 2, 3.25, 8.5, ...; the mean to the three nearest is least at 2.
TEST(Twins, Krum) {
  const Columns x = OnALine({0, 1, 2, 3.5, 10});
  EXPECT_THAT(Krum(x, 1, KrumScore::kBlanchard), ElementsAre(1));
  EXPECT_THAT(Krum(x, 1, KrumScore::kByzfl), ElementsAre(2));
  EXPECT_THAT(MultiKrum(x, 1, KrumScore::kBlanchard, {}), ElementsAre(1.5));
  EXPECT_THAT(MultiKrum(x, 1, KrumScore::kByzfl, {}), ElementsAre(DoubleEq(6.5 / 4)));
  EXPECT_THAT(MultiKrum(x, 1, KrumScore::kBlanchard, 3), ElementsAre(1));
}

// f = 1, theta = 5, with 4, 3, 2, 1 and 1 neighbours. Picks: 2; 1, which ties with 3; 3; 0, which ties with 4; 4. Then
// the mean of the 3 nearest to their median.
TEST(Twins, Bulyan) {
  EXPECT_THAT(Bulyan(OnALine({0, 1, 2, 3, 4, 10, 50}), 1, KrumScore::kBlanchard), ElementsAre(2));
  EXPECT_THAT(Bulyan(OnALine({3, 3, 3}), 0, KrumScore::kByzfl), ElementsAre(DoubleEq(3)));
}

TEST(Twins, SubsetsAndNeighbours) {
  const Columns x = OnALine({0, 1, 2, 10, 11});
  EXPECT_THAT(Mda(x, 2), Is({1}));
  EXPECT_THAT(Smea(x, 2), Is({1}));
  EXPECT_THAT(Mda(OnALine({0, 1, 2, 3}), 1), Is({1}));  // 1, 2, 3 is as near, and comes later.
  EXPECT_THAT(Monna(x, 2, {10}), Is({23.0 / 3}));
}

TEST(Twins, GeometricMedian) {
  EXPECT_THAT(GeometricMedian(OnALine({0, 0, 3}), 0.1, 1), Is({0.6}));       // Distances 1, 1, 2 from the mean.
  EXPECT_THAT(GeometricMedian(OnALine({0, 0, 3}), 1.5, 1), Is({9.0 / 11}));  // 1 counts as 1.5.
  EXPECT_THAT(GeometricMedian({{1, 0}, {-1, 0}, {0, 1}, {0, -1}}, 0.1, 0), Is({0, 0}));
}

TEST(Twins, CenteredClipping) {
  EXPECT_THAT(CenteredClipping(OnALine({0.5, -4, 2}), {0}, 1, 1), Is({0.5 / 3}));
  EXPECT_THAT(CenteredClipping(OnALine({0.5, -4, 2}), {0}, 1, 2), Is({0.5 / 3 + (0.5 - 0.5 / 3) / 3}));
}

TEST(Twins, FiltersDropTheOutlier) {
  EXPECT_THAT(Caf(OnALine({0, 0, 0, 9}), 1), Is({0}));
  EXPECT_THAT(Caf(OnALine({0, 0, 0, 9}), 0), Is({2.25}));
  EXPECT_THAT(Dnc({{1, 0}, {-1, 0}, {0, 1}, {1, 9}}, 1, 1), Is({0, 1.0 / 3}));
  EXPECT_THAT(Dnc({{1, 0}, {-1, 0}, {0, 1}, {1, 9}}, 1, 0.5), Is({0.25, 2.5}));
}

TEST(Twins, Trust) {
  const double half = std::sqrt(0.5), sum = 1 + half;
  EXPECT_THAT(FlTrust({{1, 0}, {-1, 0}, {0, 3}, {1, 1}}, {2, 0}), Is({3 / sum, 1 / sum}));
  EXPECT_THAT(FlTrust({{-1, 0}, {0, 0}}, {2, 0}), ElementsAre(0, 0));
  const Columns nothing = {{0, 0}, {0, 0}, {0, 0}};
  EXPECT_THAT(FoolsGold({{1, 0}, {1, 0}, {0, 1}}, nothing), Is({0, 1}));
  EXPECT_THAT(FoolsGold({{1, 0}, {0, 2}, {0, 1}}, {{0, 0}, {9, -2}, {9, 0}}), Is({0, 1}));
  EXPECT_THAT(FoolsGold({{1, 0}, {0, 2}}, {{0, 0}, {0, 0}}), Is({0.5, 1}));
}

TEST(Twins, FlagOfIdenticalColumns) {
  const Columns x(5, {3, 4});
  EXPECT_THAT(FlagOfPaper(x, {}), Is({3, 4}));
  EXPECT_THAT(FlagOfCode(x, {}), Is({0.6 * 5 / 3, 0.8 * 5 / 3}));
}

TEST(Twins, FlagProjects) {
  const Columns x = {{2, 0}, {1, 0}, {0, 6}};
  EXPECT_THAT(FlagOfPaper(x, {.m = 1, .lambda = 0}), Is({1, 0}));
  EXPECT_THAT(FlagOfCode(x, {.m = 1}), Is({2, 0}));
  EXPECT_THAT(FlagOfCode(x, {.m = 2}), Is({1, 0.5}));
  // The differences of the first two pull Y to the second axis.
  EXPECT_THAT(FlagOfPaper({{1, 1}, {1, -1}}, {.m = 1, .lambda = 1}), Is({0, 0}));
  EXPECT_THAT(FlagOfPaper({{1, 1}, {2, -2}}, {.m = 2}), Is({1.5, -0.5}));
}

TEST(Twins, Coordinates) {
  EXPECT_THAT(Median({{1, 9}, {2, 1}, {10, 5}}), ElementsAre(2, 5));
  EXPECT_THAT(Median(OnALine({4, 1, 2, 10})), ElementsAre(3));
  EXPECT_THAT(TrimmedMean(OnALine({8, 100, 4, 2, 1}), 1), Is({14.0 / 3}));
  EXPECT_THAT(Meamed(OnALine({7, 0, 5, 6, 1}), 2), Is({5.5}));
  EXPECT_THAT(Meamed(OnALine({4, 6, 5}), 2), Is({4.5}));  // 4 and 6 are as near: the lower one.
  EXPECT_THAT(Phocas(OnALine({0, 1, 2, 9, 30}), 1), Is({3}));
  EXPECT_THAT(SignVote({{1, -1, 0}, {2, -7, 0}, {-9, 0, 3}}, 0.5), ElementsAre(0.5, -0.5, 0.5));
}

TEST(Twins, GuardsMix) {
  const Columns x = OnALine({0, 1, 10});
  EXPECT_THAT(Mixed(x, NearestNeighbourMixture(x, 1)), ElementsAre(Is({0.5}), Is({0.5}), Is({5.5})));
  EXPECT_THAT(ClipMixture({{3, 4}, {0.5, 0}}, 1), ElementsAre(Is({0.2, 0}), Is({0, 1})));
  const Columns norms = OnALine({-1, 2, 3, 10});
  EXPECT_THAT(Mixed(norms, ArcMixture(norms, 1)), ElementsAre(Is({-1}), Is({2}), Is({3}), Is({3})));
  EXPECT_THAT(Mixed(norms, ArcMixture(norms, 0)), ElementsAre(Is({-1}), Is({2}), Is({3}), Is({10})));
}

TEST(Twins, BucketsHoldEveryColumnOnce) {
  const Columns x(7, {1.0});
  const Columns buckets = BucketingMixture(x, 3, 5, 2);
  ASSERT_EQ(buckets.size(), 3u);
  EXPECT_THAT(Combination(buckets, {3, 3, 1}), Is(Vector(7, 1)));
  EXPECT_EQ(buckets, BucketingMixture(x, 3, 5, 2));
  EXPECT_NE(buckets, BucketingMixture(x, 3, 5, 3));
  EXPECT_NE(buckets, BucketingMixture(x, 3, 6, 2));
}

}  // namespace
}  // namespace cairn::kernels::reference
