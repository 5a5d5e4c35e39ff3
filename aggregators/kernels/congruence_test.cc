#include "aggregators/kernels/congruence.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "aggregators/kernels/small_product.h"

namespace cairn::kernels {
namespace {

// Columns of numbers, [rows, columns].
SmallMatrix Columns(std::size_t rows, std::size_t columns) {
  std::mt19937_64 random(rows * 100 + columns);
  std::normal_distribution<double> normal;
  SmallMatrix out = SmallMatrix::Zero(rows, columns);
  for (double& value : out.values) value = normal(random);
  return out;
}

SmallMatrix GramOf(const SmallMatrix& columns) {
  SmallMatrix gram = SmallMatrix::Zero(columns.columns, columns.columns);
  for (std::size_t i = 0; i < columns.columns; ++i) {
    for (std::size_t j = 0; j < columns.columns; ++j) {
      for (std::size_t k = 0; k < columns.rows; ++k) gram.at(i, j) += columns.at(k, i) * columns.at(k, j);
    }
  }
  return gram;
}

void ExpectNear(const SmallMatrix& x, const SmallMatrix& y) {
  ASSERT_EQ(x.rows, y.rows);
  ASSERT_EQ(x.columns, y.columns);
  for (std::size_t i = 0; i < x.values.size(); ++i) EXPECT_NEAR(x.values[i], y.values[i], 1e-12);
}

TEST(Congruence, IsTheGramMatrixOfTheMixedColumns) {
  const SmallMatrix x = Columns(9, 5);
  SmallMatrix mixing = Columns(5, 3);
  mixing.at(1, 2) = mixing.at(4, 0) = 0;
  ExpectNear(Congruent(GramOf(x), mixing), GramOf(Product(x, mixing)));
}

TEST(Congruence, MeasuresTheFirstColumnsFromAnother) {
  const SmallMatrix x = Columns(9, 5);
  // Columns 0 to 2 less column 3, and column 4 as it is.
  SmallMatrix moved = SmallMatrix::Zero(9, 4);
  for (std::size_t k = 0; k < 9; ++k) {
    for (std::size_t i = 0; i < 3; ++i) moved.at(k, i) = x.at(k, i) - x.at(k, 3);
    moved.at(k, 3) = x.at(k, 4);
  }
  ExpectNear(MeasuredFrom(GramOf(x), 3, 3), GramOf(moved));
}

TEST(Congruence, KeepsHowNearTheColumnsAreToTheOrigin) {
  // x_i = g + d_i with |d| = 1e-6 |g|: the squares of differences are 1e-12 of those of the columns.
  const SmallMatrix g = Columns(40, 1), d = Columns(40, 2);
  SmallMatrix x = SmallMatrix::Zero(40, 3), expected = SmallMatrix::Zero(40, 2);
  for (std::size_t k = 0; k < 40; ++k) {
    x.at(k, 2) = g.at(k, 0);
    for (std::size_t i = 0; i < 2; ++i) {
      x.at(k, i) = g.at(k, 0) + 1e-6 * d.at(k, i);
      expected.at(k, i) = x.at(k, i) - g.at(k, 0);
    }
  }
  const SmallMatrix from = MeasuredFrom(GramOf(x), 2, 2), truth = GramOf(expected);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(from.values[i], truth.values[i], 1e-2 * truth.at(0, 0));
}

TEST(Congruence, SelectsInTheOrderAskedFor) {
  const SmallMatrix gram = GramOf(Columns(4, 3));
  const SmallMatrix selected = Selected(gram, {2, 0});
  EXPECT_THAT(selected.values, ::testing::ElementsAre(gram.at(2, 2), gram.at(2, 0), gram.at(0, 2), gram.at(0, 0)));
}

}  // namespace
}  // namespace cairn::kernels
