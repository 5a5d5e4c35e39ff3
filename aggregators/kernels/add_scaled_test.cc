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
    const std::vector<double> wide(v.begin(), v.end());
    EXPECT_NEAR(PairSumsOf(absl::MakeConstSpan(u), wide).apart, apart, 1e-5);
  }
}

// Every operation rounded on its own, every eighth term added up.
template <typename T>
PairSums Twin(const std::vector<T>& x, const std::vector<double>& y) {
  double own[8] = {}, inner[8] = {}, apart[8] = {};
  for (std::size_t i = 0; i < x.size(); ++i) {
    const volatile double u = x[i], squared = u * u, product = u * y[i], difference = u - y[i];
    const volatile double distance = difference * difference;
    own[i % 8] += squared;
    inner[i % 8] += product;
    apart[i % 8] += distance;
  }
  PairSums sums;
  for (std::size_t lane = 0; lane < 8; ++lane) {
    sums.own += own[lane];
    sums.inner += inner[lane];
    sums.apart += apart[lane];
  }
  return sums;
}

void ExpectBits(const PairSums& sums, const PairSums& expected) {
  EXPECT_EQ(sums.own, expected.own);
  EXPECT_EQ(sums.inner, expected.inner);
  EXPECT_EQ(sums.apart, expected.apart);
}

// Whatever the processor can do at once: all digits of doubles, and the largest and smallest floats.
TEST(AddScaled, MeasuresPairsWithTheSameBitsEverywhere) {
  for (const double scale : {1.0, 3e38, 1e-40}) {
    const std::vector<double> x = Wave(500, 0.7), y = Wave(500, 1.3);
    ExpectBits(PairSumsOf(absl::MakeConstSpan(x), absl::MakeConstSpan(y)), Twin(x, y));
    std::vector<float> u, v;
    for (std::size_t i = 0; i < x.size(); ++i) {
      u.push_back(static_cast<float>(scale * x[i]));
      v.push_back(static_cast<float>(scale * y[i]));
    }
    const std::vector<double> wide(v.begin(), v.end());
    ExpectBits(PairSumsOf(absl::MakeConstSpan(u), wide), Twin(u, wide));
  }
}

}  // namespace
}  // namespace cairn::kernels
