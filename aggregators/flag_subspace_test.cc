// Of what the steps do; rules/flag_test.cc holds the result against the algorithm on the vectors themselves.
#include "aggregators/flag_subspace.h"

#include <gtest/gtest.h>

#include <cmath>

#include "aggregators/kernels/reference_columns.h"

namespace cairn {
namespace {

using kernels::SmallMatrix;
using kernels::reference::Column;
using kernels::reference::Difference;
using kernels::reference::GramOf;
using kernels::reference::InnerProduct;
using kernels::reference::RandomColumns;
using kernels::reference::Times;

// ||Y^T x||^2 / ||x||^2.
double Held(const SmallMatrix& subspace, const Column& x) {
  double sum = 0;
  for (std::size_t k = 0; k < subspace.columns; ++k) {
    double product = 0;
    for (std::size_t i = 0; i < subspace.rows; ++i) product += subspace.at(i, k) * x[i];
    sum += product * product;
  }
  return sum / InnerProduct(x, x);
}

// The paper's objective at Y, in the coordinates of the span.
double Objective(const ColumnSpan& span, const SmallMatrix& subspace, const FlagOptions& options) {
  const auto term = [&](const Column& x) { return std::sqrt(std::abs(1 - Held(subspace, x)) + options.epsilon); };
  const std::size_t n = span.columns.size(), rank = span.coordinates.columns;
  std::vector<Column> updates;
  for (std::size_t i = 0; i < n; ++i) {
    const double* row = &span.coordinates.values[i * rank];
    updates.push_back(Times(span.norms[i], Column(row, row + rank)));
  }
  double sum = 0;
  for (std::size_t i = 0; i < n; ++i) {
    sum += term(updates[i]);
    for (std::size_t j = 0; j < n; ++j) {
      if (i != j) sum += options.lambda / static_cast<double>(n - 1) * term(Difference(updates[i], updates[j]));
    }
  }
  return sum;
}

TEST(FlagSubspace, NoStepRaisesTheObjectiveOfThePaper) {
  for (const std::uint64_t seed : {1, 2, 3}) {
    const auto span = SpanOf(GramOf(RandomColumns(seed, 9, 20)));
    ASSERT_TRUE(span.ok()) << span.status();
    double before = 1e300;
    for (const std::int64_t iterations : {1, 2, 3, 5, 10, 30}) {
      const FlagOptions options{.clients = 9, .dimensions = 4, .lambda = 3, .iterations = iterations};
      const double objective = Objective(*span, *FlagSubspace(*span, options), options);
      EXPECT_LT(objective, before + 1e-12) << "seed " << seed << ", step " << iterations;
      before = objective;
    }
  }
}

TEST(FlagSubspace, HasOrthonormalColumnsAndNoneWithoutNeed) {
  std::vector<Column> updates = RandomColumns(4, 9, 20);
  for (std::size_t i = 3; i < 9; ++i) updates[i] = updates[i % 3];
  const auto span = SpanOf(GramOf(updates));
  const auto subspace = FlagSubspace(*span, {.clients = 9, .dimensions = 5, .lambda = 9});
  ASSERT_TRUE(subspace.ok()) << subspace.status();
  ASSERT_EQ(subspace->columns, 3u) << "as many directions as there are";
  for (std::size_t k = 0; k < 3; ++k) {
    for (std::size_t l = 0; l < 3; ++l) {
      double product = 0;
      for (std::size_t i = 0; i < subspace->rows; ++i) product += subspace->at(i, k) * subspace->at(i, l);
      EXPECT_NEAR(product, k == l ? 1 : 0, 1e-14);
    }
  }
}

TEST(FlagSubspace, HasNoDirectionThatIsRounding) {
  const ColumnSpan span{.columns = {0, 1}, .norms = {1, 1}, .coordinates = {2, 2, {1, 0, 1, 1e-9}}};
  EXPECT_EQ(FlagSubspace(span, {.clients = 2, .dimensions = 2})->columns, 1u);
}

}  // namespace
}  // namespace cairn
