#include "aggregators/column_span.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "aggregators/kernels/reference_columns.h"
#include "aggregators/kernels/small_product.h"

namespace cairn {
namespace {

using kernels::SmallMatrix;
using kernels::reference::Column;
using kernels::reference::GramOf;
using kernels::reference::InnerProduct;
using kernels::reference::RandomColumns;
using kernels::reference::Times;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

// q_k as vectors.
std::vector<Column> BasisOf(const ColumnSpan& span, const std::vector<Column>& columns) {
  std::vector<Column> basis;
  for (std::size_t k = 0; k < span.combinations.columns; ++k) {
    std::vector<double> weights(columns.size());
    for (std::size_t i = 0; i < span.columns.size(); ++i) {
      weights[span.columns[i]] = span.combinations.at(i, k) / span.norms[i];
    }
    basis.push_back(kernels::reference::CombinationOf(columns, weights));
  }
  return basis;
}

TEST(ColumnSpan, IsAnOrthonormalBasisWithCoordinates) {
  std::vector<Column> columns = RandomColumns(1, 6, 9);
  columns[2] = Column(9);
  columns[4] = Times(1e20, columns[4]);
  const auto span = SpanOf(GramOf(columns));
  ASSERT_TRUE(span.ok()) << span.status();
  EXPECT_THAT(span->columns, ElementsAre(0, 1, 3, 4, 5));
  const std::vector<Column> basis = BasisOf(*span, columns);
  ASSERT_EQ(basis.size(), 5u);
  for (std::size_t k = 0; k < 5; ++k) {
    for (std::size_t l = 0; l < 5; ++l) EXPECT_NEAR(InnerProduct(basis[k], basis[l]), k == l ? 1 : 0, 1e-14);
    for (std::size_t i = 0; i < 5; ++i) {
      const double coordinate = InnerProduct(basis[k], columns[span->columns[i]]) / span->norms[i];
      EXPECT_NEAR(span->coordinates.at(i, k), coordinate, 1e-14);
    }
  }
}

TEST(ColumnSpan, ColumnsThatAreOneUpToRoundingSpanOneDimension) {
  const Column x = RandomColumns(2, 1, 9)[0];
  for (const double apart : {0.0, 1e-15, 1e-9}) {
    const auto span = SpanOf(GramOf({x, Times(-3, x), Times(1 + apart, x)}));
    EXPECT_EQ(span->coordinates.columns, 1u) << apart;
    EXPECT_NEAR(std::abs(span->coordinates.at(1, 0)), 1, 1e-15);
    EXPECT_EQ(span->coordinates.at(1, 0) > 0, span->coordinates.at(0, 0) < 0);
  }
}

TEST(ColumnSpan, ColumnsThatAreZeroOrVanishBesideOthersSpanNothing) {
  EXPECT_THAT(SpanOf(GramOf({{0, 0}, {0, 0}}))->columns, IsEmpty());
  EXPECT_THAT(SpanOf(GramOf({{1e150, 0}, {0, 1e-110}, {0, 1e-90}}))->columns, ElementsAre(0, 2));
}

}  // namespace
}  // namespace cairn
