#include "aggregators/kernels/exact_sums.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

namespace cairn::kernels {
namespace {

double TotalOf(const std::vector<double>& terms) {
  ExactSums sums(1);
  for (const double term : terms) sums.Add(0, term);
  return sums.Total(0);
}

// As processes do.
void Merge(ExactSums& into, ExactSums from) {
  std::vector<std::int64_t> tops = into.tops();
  const std::vector<std::int64_t> others = from.tops();
  for (std::size_t i = 0; i < tops.size(); ++i) tops[i] = std::max(tops[i], others[i]);
  into.Raise(tops);
  from.Raise(tops);
  for (std::size_t i = 0; i < into.digits().size(); ++i) into.digits()[i] += from.digits()[i];
}

// Of magnitudes from 2^-exponents to 2^exponents, of both signs.
std::vector<double> RandomTerms(std::uint64_t seed, std::size_t count, int exponents) {
  std::mt19937_64 random(seed);
  std::vector<double> terms;
  for (std::size_t i = 0; i < count; ++i) {
    const double mantissa = std::ldexp(static_cast<double>(random() >> 11), -53);
    const int exponent = static_cast<int>(random() % (2 * exponents + 1)) - exponents;
    terms.push_back(std::ldexp(random() % 2 == 0 ? mantissa : -mantissa, exponent));
  }
  return terms;
}

// 64 bits of mantissa and compensation: a slow twin for terms of some hundred bits' range.
long double Reference(const std::vector<double>& terms) {
  long double sum = 0, lost = 0;
  for (const double term : terms) {
    const long double next = sum + term;
    lost += std::abs(sum) >= std::abs(term) ? (sum - next) + term : (term - next) + sum;
    sum = next;
  }
  return sum + lost;
}

TEST(ExactSums, OneTermIsItself) {
  for (const double term : {0.0, 1.0, -1.0, 0.1, -1e300, 1e-300, std::numeric_limits<double>::max(),
                            std::numeric_limits<double>::denorm_min(), -std::numeric_limits<double>::min(), 0x1p32,
                            0x1.fffffffffffffp31, 0x1.fffffffffffffp-1022, 3e-310}) {
    EXPECT_EQ(TotalOf({term}), term);
  }
  for (const double term : RandomTerms(1, 10'000, 1000)) EXPECT_EQ(TotalOf({term}), term);
}

TEST(ExactSums, CancelToTheLastBit) {
  EXPECT_EQ(TotalOf({1e16, 1, -1e16}), 1);
  EXPECT_EQ(TotalOf({1, 0x1p-80, -1}), 0x1p-80);
  EXPECT_EQ(TotalOf({-1, -0x1p-80, 1}), -0x1p-80);
  EXPECT_EQ(TotalOf({0x1p60, -0x1p60, 0x1p-30, -0x1p-31}), 0x1p-31);
  EXPECT_EQ(TotalOf({0x1p1000, 1, -0x1p1000}), 0) << "out of the four digits";
}

TEST(ExactSums, AreNearTheSumOfAll) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const std::vector<double> terms = RandomTerms(seed, 1 + seed * 7, 20);
    const auto expected = Reference(terms);
    EXPECT_NEAR(TotalOf(terms), static_cast<double>(expected), 2 * 0x1p-53 * std::abs(static_cast<double>(expected)));
  }
}

TEST(ExactSums, DependOnTheTermsAlone) {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    std::mt19937_64 random(seed);
    std::vector<double> terms = RandomTerms(seed, 60, seed % 2 == 0 ? 3 : 200);
    const double expected = TotalOf(terms);
    std::shuffle(terms.begin(), terms.end(), random);
    EXPECT_EQ(TotalOf(terms), expected);
    std::vector<ExactSums> parts(1 + random() % 6, ExactSums(1));
    for (const double term : terms) parts[random() % parts.size()].Add(0, term);
    for (std::size_t p = 1; p < parts.size(); ++p) Merge(parts[0], parts[p]);
    EXPECT_EQ(parts[0].Total(0), expected) << seed;
  }
}

TEST(ExactSums, WhatIsNotFiniteStaysSoAndToItself) {
  for (const double bad : {std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity(),
                           std::numeric_limits<double>::quiet_NaN()}) {
    ExactSums sums(3), others(3);
    sums.Add(0, {1, bad, 3});
    sums.Add(0, {1, 1, -bad});
    others.Add(0, {5, 7, 9});
    Merge(others, sums);
    EXPECT_EQ(others.Total(0), 7);
    EXPECT_TRUE(std::isnan(others.Total(1)));
    EXPECT_TRUE(std::isnan(others.Total(2)));
  }
}

TEST(ExactSums, BeyondFloat64IsInfinite) {
  const double most = std::numeric_limits<double>::max();
  EXPECT_EQ(TotalOf({most, most}), std::numeric_limits<double>::infinity());
  EXPECT_EQ(TotalOf({-most, -most}), -std::numeric_limits<double>::infinity());
  EXPECT_EQ(TotalOf({most, most, -most}), most);
}

TEST(ExactSums, ManyTermsDoNotOverflowADigit) {
  ExactSums sums(1);
  const std::vector<double> terms(1, -0x1.fffffffffffffp31);  // All bits of a digit and 21 of the next.
  for (int i = 0; i < 1 << 20; ++i) sums.Add(0, terms);
  ExactSums all(1);
  for (int doubling = 0; doubling < 10; ++doubling) Merge(sums, sums);
  Merge(all, sums);
  EXPECT_EQ(all.Total(0), std::ldexp(-0x1.fffffffffffffp31, 30));
}

}  // namespace
}  // namespace cairn::kernels
