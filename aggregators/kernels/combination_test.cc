#include "aggregators/kernels/combination.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "aggregators/kernels/reference_columns.h"

namespace cairn::kernels {
namespace {

using reference::Column;
using reference::CombinationOf;
using reference::Difference;
using reference::GramOf;
using reference::InnerProduct;
using reference::NormOf;
using reference::RandomColumns;
using ::testing::DoubleNear;
using ::testing::ElementsAre;

// Five columns around a far point, and one that is far from them.
std::vector<Column> FarCluster() {
  std::vector<Column> columns = RandomColumns(1, 6, 9, 1e-4);
  for (std::size_t j = 0; j < 5; ++j) columns[j][0] += 1e3;
  return columns;
}

const std::vector<double> kWeights = {0.5, 0.2, 0.4, -0.3, 0.2, 0};

TEST(Combination, KnowsInnerProductsAndDistances) {
  const std::vector<Column> columns = RandomColumns(2, 6, 9);
  const Column z = CombinationOf(columns, kWeights);
  const std::vector<double> products = InnerProductsWith(GramOf(columns), kWeights);
  const std::vector<double> distances = DistancesFrom(GramOf(columns), kWeights);
  const SmallMatrix centred = Centred(GramOf(columns), kWeights);
  for (std::size_t i = 0; i < 6; ++i) {
    EXPECT_NEAR(products[i], InnerProduct(columns[i], z), 1e-14);
    EXPECT_NEAR(distances[i], NormOf(Difference(columns[i], z)), 1e-14);
    for (std::size_t j = 0; j < 6; ++j) {
      EXPECT_NEAR(centred.at(i, j), InnerProduct(Difference(columns[i], z), Difference(columns[j], z)), 1e-14);
    }
  }
}

TEST(Combination, FromTheMedoidNearnessSurvivesFarAway) {
  const std::vector<Column> columns = FarCluster();
  const SmallMatrix near = FromMedoid(GramOf(columns));
  const Column z = CombinationOf(columns, kWeights);
  const std::vector<double> distances = DistancesFrom(near, kWeights);
  for (std::size_t i = 0; i < 6; ++i) {
    const double exact = NormOf(Difference(columns[i], z));
    // The Gram matrix itself is rounded to 1e-10, of squared distances of 1e-8.
    EXPECT_NEAR(distances[i], exact, 0.05 * exact);
  }
}

TEST(Combination, TheMedoidIsTheFirstOfThoseNearestToAll) {
  const SmallMatrix near = FromMedoid(GramOf({{0}, {2}, {1}, {1}, {-5}}));
  EXPECT_THAT(near.values, ElementsAre(1, -1, 0, 0, 6,   //
                                       -1, 1, 0, 0, -6,  //
                                       0, 0, 0, 0, 0,    //
                                       0, 0, 0, 0, 0,    //
                                       6, -6, 0, 0, 36));
}

TEST(Combination, OfEqualColumnsHasDistanceZeroExactly) {
  const Column x = RandomColumns(3, 1, 50)[0];
  const SmallMatrix near = FromMedoid(GramOf({x, x, x}));
  EXPECT_THAT(DistancesFrom(near, {{0.3, 0.3, 0.4}}), ElementsAre(0, 0, 0));
}

TEST(Combination, AColumnOfZerosMakesWeightsSumToOne) {
  const std::vector<Column> columns = RandomColumns(4, 3, 5);
  const std::vector<double> weights = {0.5, 0.25, -0.125}, with_zero = {0.5, 0.25, -0.125, 0.375};
  const Column z = CombinationOf(columns, weights);
  const std::vector<double> distances = DistancesFrom(FromMedoid(WithZeroColumn(GramOf(columns))), with_zero);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_NEAR(distances[i], NormOf(Difference(columns[i], z)), 1e-14);
  EXPECT_NEAR(distances[3], NormOf(z), 1e-14);
}

TEST(Cosine, IsThatOfColumnsOfAnyLength) {
  for (const double size : {1.0, 1e-160, 1e-30, 1e30, 1e150}) {
    const SmallMatrix gram = GramOf({{3 * size, 4 * size}, {size, 0}, {-2 * size, 0}, {0, 0}});
    EXPECT_THAT(Cosine(gram, 0, 1), DoubleNear(0.6, 1e-3)) << size;
    EXPECT_EQ(Cosine(gram, 1, 2), -1) << size;
    EXPECT_EQ(Cosine(gram, 3, 1), 0) << "of a column of zeros";
    EXPECT_EQ(Cosine(gram, 3, 3), 0);
  }
}

TEST(Cosine, IsNeverBeyondOne) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    const Column x = RandomColumns(seed, 1, 7)[0];
    const double cosine = Cosine(GramOf({x, reference::Times(1.1, x)}), 0, 1);
    EXPECT_LE(cosine, 1);
    EXPECT_GE(cosine, 1 - 1e-15);
  }
}

}  // namespace
}  // namespace cairn::kernels
