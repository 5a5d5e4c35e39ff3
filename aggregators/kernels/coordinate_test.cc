#include "aggregators/kernels/coordinate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

namespace cairn::kernels {
namespace {

using Kind = CoordinateRule::Kind;
using ::testing::ElementsAre;

// The mean of sorted values [first, end).
double Mean(const std::vector<double>& sorted, std::size_t first, std::size_t end) {
  double sum = 0;
  for (std::size_t i = first; i < end; ++i) sum += sorted[i];
  return sum / static_cast<double>(end - first);
}

// Of `count` values, taken one after the other.
double NearestMean(std::vector<double> sorted, double centre, std::size_t count) {
  const auto nearer = [centre](double x, double y) {
    if ((x < centre) == (y < centre)) return x < centre ? x > y : x < y;  // On one side: no rounding.
    const double from_x = std::abs(x - centre), from_y = std::abs(y - centre);
    return from_x == from_y ? x < y : from_x < from_y;
  };
  std::stable_sort(sorted.begin(), sorted.end(), nearer);
  sorted.resize(count);
  std::sort(sorted.begin(), sorted.end());
  return Mean(sorted, 0, count);
}

// The slow, obvious twin: one coordinate.
double Twin(const CoordinateRule& rule, std::vector<double> values) {
  const std::size_t n = values.size();
  std::sort(values.begin(), values.end());
  const double median = Mean(values, (n - 1) / 2, n / 2 + 1);
  switch (rule.kind) {
    case Kind::kMedian:
      return median;
    case Kind::kTrimmedMean:
      return Mean(values, rule.count, n - rule.count);
    case Kind::kMeamed:
      return NearestMean(values, median, rule.count);
    case Kind::kPhocas:
      return NearestMean(values, Mean(values, rule.trim, n - rule.trim), rule.count);
    case Kind::kSign:
      break;
  }
  int votes = 0;
  for (const double value : values) votes += (value > 0) - (value < 0);
  return rule.step * ((votes > 0) - (votes < 0));
}

// Every rule that so many columns allow.
std::vector<CoordinateRule> RulesFor(std::size_t columns) {
  std::vector<CoordinateRule> rules = {{.kind = Kind::kMedian}, {.kind = Kind::kSign, .step = 0.25}};
  for (const std::size_t f : {std::size_t{0}, std::size_t{1}, columns / 4, (columns - 1) / 2}) {
    if (2 * f >= columns) continue;
    rules.push_back({.kind = Kind::kTrimmedMean, .count = f});
    rules.push_back({.kind = Kind::kMeamed, .count = columns - f});
    rules.push_back({.kind = Kind::kMeamed, .count = f + 1});
    rules.push_back({.kind = Kind::kPhocas, .count = columns - f, .trim = f});
  }
  return rules;
}

// Ways to draw values: what goes wrong in one of them goes unseen in the others.
enum class Draw { kUniform, kTies, kZeros, kDenormal, kHuge, kSpread };
constexpr Draw kDraws[] = {Draw::kUniform, Draw::kTies, Draw::kZeros, Draw::kDenormal, Draw::kHuge, Draw::kSpread};

template <typename T>
T Drawn(Draw draw, std::mt19937_64& random) {
  const double uniform = static_cast<double>(random() >> 11) * 0x1p-52 - 1;
  switch (draw) {
    case Draw::kUniform:
      return static_cast<T>(uniform);
    case Draw::kTies:
      return static_cast<T>(std::round(4 * uniform));
    case Draw::kZeros:
      return random() % 2 == 0 ? T{0} : -T{0};
    case Draw::kDenormal:
      return static_cast<T>(std::round(9 * uniform)) * std::numeric_limits<T>::denorm_min();
    case Draw::kHuge:
      return static_cast<T>(1e30 * uniform);
    case Draw::kSpread:
      break;
  }
  return static_cast<T>(std::copysign(std::pow(10.0, 38 * uniform), uniform * 1e9 - std::floor(uniform * 1e9) - 0.5));
}

template <typename T>
std::vector<T> DrawnBlock(Draw draw, std::size_t columns, std::size_t width, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<T> values(columns * width);
  for (T& value : values) value = Drawn<T>(draw, random);
  return values;
}

template <typename T>
std::vector<T> Result(const CoordinateRule& rule, std::size_t columns, const std::vector<T>& values) {
  std::vector<T> out(values.size() / columns, std::numeric_limits<T>::quiet_NaN());
  ApplyCoordinates(StepsOf(rule, columns), StartsOf(values, columns), absl::MakeSpan(out));
  return out;
}

template <typename T>
void ExpectTwin(const CoordinateRule& rule, std::size_t columns, const std::vector<T>& values) {
  const std::size_t width = values.size() / columns;
  const std::vector<T> out = Result(rule, columns, values);
  for (std::size_t w = 0; w < width; ++w) {
    std::vector<double> coordinate;
    for (std::size_t i = 0; i < columns; ++i) coordinate.push_back(values[i * width + w]);
    ASSERT_EQ(out[w], static_cast<T>(Twin(rule, coordinate))) << "kind " << static_cast<int>(rule.kind) << ", count "
                                                              << rule.count << ", " << columns << " columns, at " << w;
  }
}

template <typename T>
class CoordinateTest : public ::testing::Test {};
using Types = ::testing::Types<float, double>;
TYPED_TEST_SUITE(CoordinateTest, Types);

TYPED_TEST(CoordinateTest, IsWhatTheTwinGives) {
  for (std::size_t columns = 1; columns <= 40; ++columns) {
    for (const Draw draw : kDraws) {
      const auto values = DrawnBlock<TypeParam>(draw, columns, 7, columns);
      for (const CoordinateRule& rule : RulesFor(columns)) ExpectTwin(rule, columns, values);
    }
  }
}

TYPED_TEST(CoordinateTest, IsWhatTheTwinGivesForManyColumns) {
  for (const std::size_t columns : {64, 100, 300}) {
    for (const Draw draw : kDraws) {
      const auto values = DrawnBlock<TypeParam>(draw, columns, 5, columns);
      for (const CoordinateRule& rule : RulesFor(columns)) ExpectTwin(rule, columns, values);
    }
  }
}

TYPED_TEST(CoordinateTest, TakesAnyWidth) {
  for (const std::size_t width : {0, 1, 63, 64, 65, 200}) {
    for (const std::size_t columns : {9, 16}) {
      const auto values = DrawnBlock<TypeParam>(Draw::kUniform, columns, width, width);
      for (const CoordinateRule& rule : RulesFor(columns)) ExpectTwin(rule, columns, values);
    }
  }
}

// Ties and zeros of both signs, too.
TYPED_TEST(CoordinateTest, OrderOfColumnsChangesNoBit) {
  constexpr std::size_t kColumns = 13, kColumnWidth = 70;
  for (const Draw draw : kDraws) {
    const auto values = DrawnBlock<TypeParam>(draw, kColumns, kColumnWidth, 3);
    std::vector<TypeParam> turned(values.begin() + 5 * kColumnWidth, values.end());
    turned.insert(turned.end(), values.begin(), values.begin() + 5 * kColumnWidth);
    for (const CoordinateRule& rule : RulesFor(kColumns)) {
      const auto x = Result(rule, kColumns, values), y = Result(rule, kColumns, turned);
      EXPECT_EQ(std::memcmp(x.data(), y.data(), x.size() * sizeof(TypeParam)), 0);
    }
  }
}

TEST(Coordinate, MedianOfAnEvenNumberIsTheMidpoint) {
  EXPECT_THAT(Result<float>({.kind = Kind::kMedian}, 4, {9, -1, 2, 5}), ElementsAre(3.5F));
  // Their sum is beyond float32.
  EXPECT_THAT(Result<float>({.kind = Kind::kMedian}, 2, {3e38F, 3e38F}), ElementsAre(3e38F));
}

TEST(Coordinate, AtEqualDistanceTheLowerValueIsTaken) {
  EXPECT_THAT(Result<double>({.kind = Kind::kMeamed, .count = 2}, 3, {4, 2, 3}), ElementsAre(2.5));
  EXPECT_THAT(Result<double>({.kind = Kind::kMeamed, .count = 1}, 2, {1, 0}), ElementsAre(0));
  EXPECT_THAT(Result<double>({.kind = Kind::kPhocas, .count = 2, .trim = 1}, 3, {4, 2, 3}), ElementsAre(2.5));
}

TEST(Coordinate, OneOutlierMovesTheMeanAndNothingElse) {
  const std::vector<float> values = {1, 2, 3, 1e30F, 2};
  EXPECT_THAT(Result({.kind = Kind::kMedian}, 5, values), ElementsAre(2));
  EXPECT_THAT(Result({.kind = Kind::kTrimmedMean, .count = 1}, 5, values), ElementsAre(7.0F / 3));
  EXPECT_THAT(Result({.kind = Kind::kMeamed, .count = 4}, 5, values), ElementsAre(2));
  EXPECT_THAT(Result({.kind = Kind::kPhocas, .count = 4, .trim = 1}, 5, values), ElementsAre(2));
  EXPECT_GT(Result({.kind = Kind::kTrimmedMean}, 5, values)[0], 1e29F);
}

TEST(Coordinate, SignIsZeroWhereTheVotesAreEven) {
  const std::vector<float> values = {1e-45F, -3, 0, -4, 5, -0.0F, 0, 8, -2};
  EXPECT_THAT(Result({.kind = Kind::kSign, .step = 0.5}, 3, values), ElementsAre(0, 0.5F, -0.5F));
}

}  // namespace
}  // namespace cairn::kernels
