#include "simulation/trainer/mixture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <numeric>

namespace cairn {
namespace {

using ::testing::Each;

constexpr double kEqual = std::numeric_limits<double>::infinity();

// The mean over draws of the largest of `size` proportions.
double MeanLargest(std::size_t size, double concentration) {
  Random random(1);
  double sum = 0;
  for (int draw = 0; draw < 1000; ++draw) {
    const std::vector<double> parts = DirichletProportions(size, concentration, random);
    EXPECT_NEAR(std::accumulate(parts.begin(), parts.end(), 0.0), 1, 1e-12);
    sum += *std::max_element(parts.begin(), parts.end());
  }
  return sum / 1000;
}

TEST(Dirichlet, InfinityGivesEqualParts) {
  Random random(1);
  EXPECT_THAT(DirichletProportions(4, kEqual, random), Each(0.25));
}

// Known expectations: for concentration 1 the largest of n is the longest piece of a stick that is broken at random,
// (1 + 1/2 + ... + 1/n) / n.
TEST(Dirichlet, ConcentrationSaysHowMuchIsInOne) {
  EXPECT_NEAR(MeanLargest(4, 1), (1 + 1.0 / 2 + 1.0 / 3 + 1.0 / 4) / 4, 0.02);
  EXPECT_GT(MeanLargest(4, 0.1), 0.8);
  EXPECT_GT(MeanLargest(4, 1e-6), 0.999);
  EXPECT_LT(MeanLargest(4, 1e4), 0.27);
}

TEST(Dirichlet, EveryPartHasTheSameMeanAndTheRightVariance) {
  for (const double concentration : {0.3, 1.0, 5.0}) {
    Random random(2);
    std::vector<double> sum(3), squares(3);
    constexpr int kDraws = 20'000;
    for (int draw = 0; draw < kDraws; ++draw) {
      const std::vector<double> parts = DirichletProportions(3, concentration, random);
      for (std::size_t i = 0; i < 3; ++i) sum[i] += parts[i], squares[i] += parts[i] * parts[i];
    }
    const double variance = (1.0 / 3) * (2.0 / 3) / (3 * concentration + 1);
    for (std::size_t i = 0; i < 3; ++i) {
      const double mean = sum[i] / kDraws;
      EXPECT_NEAR(mean, 1.0 / 3, 0.01);
      EXPECT_NEAR(squares[i] / kDraws - mean * mean, variance, 0.05 * variance) << concentration;
    }
  }
}

TEST(MixedTexts, AreSeeded) {
  const std::vector<std::string> domains = {std::string(500, 'a'), std::string(300, 'b')};
  const auto texts = MixedTexts(domains, 4, 0.5, 1, 7);
  EXPECT_EQ(texts, MixedTexts(domains, 4, 0.5, 1, 7));
  EXPECT_NE(texts, MixedTexts(domains, 4, 0.5, 1, 8));
  for (const std::string& text : texts) EXPECT_EQ(text.size(), 200u);
}

TEST(MixedTexts, HaveEqualPartsAtInfinity) {
  const std::vector<std::string> domains = {std::string(500, 'a'), std::string(300, 'b')};
  for (const std::string& text : MixedTexts(domains, 4, kEqual, 1, 7)) {
    EXPECT_EQ(std::count(text.begin(), text.end(), 'a'), 100);
    EXPECT_EQ(std::count(text.begin(), text.end(), 'b'), 100);
  }
}

TEST(MixedTexts, ShareNothingUntilADomainIsGivenOut) {
  std::string domain;
  for (char c = 'a'; c <= 'z'; ++c) domain += c;
  std::string all;
  for (const std::string& text : MixedTexts({domain}, 5, kEqual, 1, 3)) all += text;
  EXPECT_EQ(all.size(), 25u);
  std::sort(all.begin(), all.end());
  EXPECT_EQ(std::unique(all.begin(), all.end()), all.end());
}

TEST(MixedTexts, AreLongEnoughToTrainOn) {
  for (const std::string& text : MixedTexts({"ab", "cd"}, 4, 0.1, 33, 3)) EXPECT_EQ(text.size(), 33u);
}

TEST(EvenSample, TakesPiecesFromAllOverAText) {
  std::string text;
  for (int i = 0; i < 8; ++i) text += std::string(100, static_cast<char>('0' + i));
  const std::string sample = EvenSample(text, 80);
  EXPECT_EQ(sample.size(), 80u);
  for (char c = '0'; c < '8'; ++c) EXPECT_NE(sample.find(c), std::string::npos) << c;
  EXPECT_EQ(EvenSample("short", 80), "short");
}

}  // namespace
}  // namespace cairn
