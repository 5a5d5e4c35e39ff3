#include "aggregators/kernels/add_scaled.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace cairn::kernels {
namespace {

std::vector<double> Wave(std::size_t count, double step) {
  std::vector<double> values;
  for (std::size_t i = 0; i < count; ++i) values.push_back(std::sin(step * static_cast<double>(i + 1)));
  return values;
}

TEST(AddScaled, AddsInFloat64) {
  const std::vector<float> x = {1, 2, 3, 4, 5, 6, 7, 8, 9};
  std::vector<double> sum(9, 1e10);
  AddScaled(0.1, absl::MakeConstSpan(x), absl::MakeSpan(sum));
  for (std::size_t i = 0; i < 9; ++i) EXPECT_EQ(sum[i], 1e10 + 0.1 * x[i]);
}

TEST(AddScaled, MeasuresPairsOfAnyLength) {
  for (const std::size_t count : {0, 1, 7, 8, 9, 100}) {
    const std::vector<double> x = Wave(count, 0.7), y = Wave(count, 1.3);
    double own = 0, inner = 0, apart = 0;
    for (std::size_t i = 0; i < count; ++i) {
      own += x[i] * x[i];
      inner += x[i] * y[i];
      apart += (x[i] - y[i]) * (x[i] - y[i]);
    }
    const PairSums sums = PairSumsOf(absl::MakeConstSpan(x), absl::MakeConstSpan(y));
    EXPECT_NEAR(sums.own, own, 1e-12);
    EXPECT_NEAR(sums.inner, inner, 1e-12);
    EXPECT_NEAR(sums.apart, apart, 1e-12);
    const std::vector<float> u(x.begin(), x.end()), v(y.begin(), y.end());
    // The same terms in the same order: the same bits.
    const std::vector<double> wide_u(u.begin(), u.end()), wide_v(v.begin(), v.end());
    const PairSums narrow = PairSumsOf(absl::MakeConstSpan(u), wide_v), wide = PairSumsOf(wide_u, wide_v);
    EXPECT_EQ(narrow.own, wide.own);
    EXPECT_EQ(narrow.inner, wide.inner);
    EXPECT_EQ(narrow.apart, wide.apart);
  }
}

}  // namespace
}  // namespace cairn::kernels
