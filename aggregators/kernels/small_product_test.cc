#include "aggregators/kernels/small_product.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

namespace cairn::kernels {
namespace {

using ::testing::ElementsAre;

TEST(SmallProduct, MultipliesRowsByColumns) {
  const SmallMatrix x{2, 3, {1, 2, 3, 4, 5, 6}}, y{3, 2, {1, 0, 0, 1, 10, 100}};
  const SmallMatrix product = Product(x, y);
  EXPECT_EQ(product.rows, 2u);
  EXPECT_EQ(product.columns, 2u);
  EXPECT_THAT(product.values, ElementsAre(31, 302, 64, 605));
}

TEST(SmallProduct, TransposesTheLeftOne) {
  const SmallMatrix x{2, 3, {1, 2, 3, 4, 5, 6}}, y{2, 1, {1, 10}};
  const SmallMatrix product = TransposedProduct(x, y);
  EXPECT_EQ(product.rows, 3u);
  EXPECT_THAT(product.values, ElementsAre(41, 52, 63));
}

// An infinity, which no caller has, shows whether a row was read.
TEST(SmallProduct, SkipsFactorsOfZero) {
  const double unread = std::numeric_limits<double>::infinity();
  const SmallMatrix x{1, 2, {0, 3}}, transposed{2, 1, {0, 3}}, y{2, 1, {unread, 2}};
  EXPECT_THAT(Product(x, y).values, ElementsAre(6));
  EXPECT_THAT(TransposedProduct(transposed, y).values, ElementsAre(6));
}

TEST(SmallProduct, OfNothingIsZero) {
  EXPECT_THAT(Product(SmallMatrix::Zero(2, 0), SmallMatrix::Zero(0, 1)).values, ElementsAre(0, 0));
  EXPECT_THAT(TransposedProduct(SmallMatrix::Zero(0, 2), SmallMatrix::Zero(0, 1)).values, ElementsAre(0, 0));
}

}  // namespace
}  // namespace cairn::kernels
