#include "aggregators/kernels/fixed_point.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

namespace cairn::kernels {
namespace {

using ::testing::ElementsAre;

constexpr ColumnBlock kFlat = {.columns = 1, .width = 1, .at = 0};

TEST(FractionBits, TermsOfTheBoundUse50Bits) {
  EXPECT_EQ(FractionBits(1), 49);
  EXPECT_EQ(FractionBits(1.5), 49);
  EXPECT_EQ(FractionBits(0.5), 50);
  EXPECT_EQ(FractionBits(std::ldexp(1.0, 96)), 50 - 97);
  EXPECT_EQ(FractionBits(0), 0);
  EXPECT_EQ(FractionBits(1e-320), 1000);
}

TEST(AddFixed, WritesItsColumnsAndRoundsToNearest) {
  std::vector<std::int64_t> sum(4, 10);
  AddFixed(std::vector<float>{1, -2}, {.columns = 1, .width = 2, .at = 1}, 0.75, 1, absl::MakeSpan(sum));
  EXPECT_THAT(sum, ElementsAre(10, 12, 10, 7));  // 1.5 -> 2 (to even), -3.
}

// What integer sums are for: any order, any grouping, the same bits. Float64 sums of the same terms differ.
TEST(AddFixed, PartialSumsMergeInAnyShapeToTheSameBits) {
  std::mt19937_64 random(1);
  std::vector<std::vector<float>> clients(40, std::vector<float>(100));
  for (auto& client : clients) {
    for (float& value : client) value = std::ldexp(static_cast<float>(random() >> 40) - 0x1p23f, -20);
  }
  const int bits = FractionBits(8.0 * clients.size());
  const auto fold = [&](const std::vector<int>& order, std::size_t first, std::size_t end) {
    std::vector<std::int64_t> sum(100, 0);
    for (std::size_t i = first; i < end; ++i) AddFixed(clients[order[i]], kFlat, 1.0 / 3, bits, absl::MakeSpan(sum));
    return sum;
  };
  std::vector<int> order(clients.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int>(i);
  const std::vector<std::int64_t> whole = fold(order, 0, order.size());
  for (int trial = 0; trial < 20; ++trial) {
    std::shuffle(order.begin(), order.end(), random);
    const std::size_t cut = random() % order.size();
    std::vector<std::int64_t> left = fold(order, 0, cut), right = fold(order, cut, order.size());
    for (std::size_t i = 0; i < left.size(); ++i) left[i] += right[i];
    ASSERT_EQ(left, whole) << "trial " << trial;
  }
}

TEST(AddFixed, IsWithinItsBoundOfTheExactSum) {
  std::mt19937_64 random(2);
  for (const double scale : {1e-30, 1e-3, 1.0, 1e12, 1e28}) {
    const double bound = 50 * scale;
    const int bits = FractionBits(bound);
    std::vector<std::int64_t> sum(1, 0);
    long double exact = 0;
    for (int k = 0; k < 50; ++k) {
      const std::vector<double> x = {scale * (static_cast<double>(random() >> 11) * 0x1p-52 - 1)};
      AddFixed(x, kFlat, 0.7, bits, absl::MakeSpan(sum));
      exact += static_cast<long double>(0.7) * x[0];
    }
    std::vector<double> out(1);
    FromFixed(sum, bits, absl::MakeSpan(out));
    EXPECT_LE(std::abs(out[0] - static_cast<double>(exact)), 50 * bound * 0x1p-50) << scale;
    EXPECT_GT(std::abs(static_cast<double>(exact)), 50 * bound * 0x1p-50);
  }
}

TEST(AddFixed, KeepsWhatBfloat16AndFloat32WouldLose) {
  // bfloat16 1 + 1000 * 0.001 stays 1; float32 2^24 + 1 stays 2^24.
  std::vector<std::int64_t> sum(1, 0);
  const int bits = FractionBits(2);
  AddFixed(std::vector<float>{1}, kFlat, 1, bits, absl::MakeSpan(sum));
  for (int i = 0; i < 1000; ++i) AddFixed(std::vector<double>{0.001}, kFlat, 1, bits, absl::MakeSpan(sum));
  std::vector<float> out(1);
  FromFixed(sum, bits, absl::MakeSpan(out));
  EXPECT_EQ(out[0], 2.0f);
}

// Small values under a huge coefficient are ordinary terms.
TEST(AddFixed, TakesCoefficientsBeyondTheReachOfItsUnit) {
  const int bits = FractionBits(1);
  std::vector<std::int64_t> sum(1, 0);
  AddFixed(std::vector<double>{2.5e-301}, kFlat, 1e300, bits, absl::MakeSpan(sum));
  std::vector<double> out(1);
  FromFixed(sum, bits, absl::MakeSpan(out));
  EXPECT_NEAR(out[0], 0.25, 1e-14);
}

TEST(FromFixed, RoundsToNearestEven) {
  std::vector<float> out(2);
  FromFixed(std::vector<std::int64_t>{(1 << 25) + 2, (1 << 25) + 6}, 0, absl::MakeSpan(out));
  EXPECT_THAT(out, ElementsAre(33'554'432.0f, 33'554'440.0f));
}

}  // namespace
}  // namespace cairn::kernels
