#include "aggregators/kernels/dense_gram.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "aggregators/kernels/reference_lowrank.h"

namespace cairn::kernels {
namespace {

using reference::Matrix;

// Every row of x is a column; taken in blocks, the last of which is not full.
SmallMatrix GramOfRows(const Matrix& x, DenseGram::Values values) {
  DenseGram gram(static_cast<std::size_t>(x.rows), values);
  for (std::int64_t first = 0; first < x.columns; first += DenseGram::kBlock) {
    const std::int64_t count = std::min<std::int64_t>(DenseGram::kBlock, x.columns - first);
    for (std::int64_t i = 0; i < x.rows; ++i) {
      std::copy_n(x.values.begin() + i * x.columns + first, count, gram.column(i).begin());
    }
    gram.Add(static_cast<std::size_t>(count));
  }
  return gram.Sums();
}

Matrix Singles(Matrix x) {
  for (double& value : x.values) value = static_cast<float>(value);
  return x;
}

double Exact(const Matrix& x, std::int64_t i, std::int64_t j) {
  long double sum = 0;
  for (std::int64_t k = 0; k < x.columns; ++k) sum += static_cast<long double>(x.at(i, k)) * x.at(j, k);
  return static_cast<double>(sum);
}

TEST(DenseGram, EqualsTheSlowOneForAnyNumberOfColumnsAndElements) {
  for (const std::int64_t columns : {1, 2, 3, 4, 5, 8, 15, 17}) {
    for (const std::int64_t elements : {1, 7, 8, 256, 1000}) {
      const Matrix x = Singles(reference::RandomMatrix(columns * 1000 + elements, columns, elements));
      for (const DenseGram::Values values : {DenseGram::Values::kSingle, DenseGram::Values::kDouble}) {
        const SmallMatrix gram = GramOfRows(x, values);
        for (std::int64_t i = 0; i < columns; ++i) {
          for (std::int64_t j = 0; j < columns; ++j) {
            EXPECT_NEAR(gram.at(i, j), Exact(x, i, j), 1e-15 * static_cast<double>(elements))
                << columns << " " << elements;
            EXPECT_EQ(gram.at(i, j), gram.at(j, i));
          }
        }
      }
    }
  }
}

// What makes the same bits on every processor: of single values, fused or not is the same.
TEST(DenseGram, OfSingleValuesHasTheSameBitsHoweverItIsComputed) {
  const Matrix x = Singles(reference::RandomMatrix(3, 13, 777));
  EXPECT_EQ(GramOfRows(x, DenseGram::Values::kSingle).values, GramOfRows(x, DenseGram::Values::kDouble).values);
}

TEST(DenseGram, ShowsAValueThatIsNotFiniteInItsOwnRowAndColumnOnly) {
  for (const double value : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    Matrix x = Singles(reference::RandomMatrix(4, 6, 300));
    const SmallMatrix clean = GramOfRows(x, DenseGram::Values::kSingle);
    x.at(2, 290) = value;
    const SmallMatrix gram = GramOfRows(x, DenseGram::Values::kSingle);
    for (std::size_t i = 0; i < 6; ++i) {
      for (std::size_t j = 0; j < 6; ++j) {
        if (i == 2 || j == 2) {
          EXPECT_FALSE(std::isfinite(gram.at(i, j)));
        } else {
          EXPECT_EQ(gram.at(i, j), clean.at(i, j));
        }
      }
    }
  }
}

TEST(DenseGram, ForgetsWhatAnEarlierBlockLeftBehindAShorterOne) {
  DenseGram gram(1, DenseGram::Values::kSingle);
  std::fill(gram.column(0).begin(), gram.column(0).end(), 1.0);
  gram.Add(DenseGram::kBlock);
  gram.Add(3);
  EXPECT_EQ(gram.Sums().at(0, 0), DenseGram::kBlock + 3);
}

}  // namespace
}  // namespace cairn::kernels
