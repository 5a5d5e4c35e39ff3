#include "simulation/attacks/attack_vectors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "simulation/attacks/normal_quantile.h"

namespace cairn::attacks {
namespace {

using ::testing::ElementsAre;

// Mean (2, 2), deviations (2, 0).
const std::vector<Vector> kThree = {{0, 2}, {2, 2}, {4, 2}};

TEST(Statistics, AreThoseOfASample) {
  EXPECT_THAT(MeanOf(kThree), ElementsAre(2, 2));
  EXPECT_THAT(DeviationOf(kThree), ElementsAre(2, 0));
  EXPECT_THAT(DeviationOf(std::vector<Vector>{{5, 7}}), ElementsAre(0, 0));
  EXPECT_DOUBLE_EQ(MedianNormOf(std::vector<Vector>{{3, 4}, {0, 1}, {0, 100}}), 5);
  EXPECT_DOUBLE_EQ(MedianNormOf(std::vector<Vector>{{3, 4}, {0, 1}}), 3);
}

TEST(Alie, IsSomeDeviationsBelowTheMean) { EXPECT_THAT(Alie(kThree, 1.5), ElementsAre(-1, 2)); }

// Of 50 clients 12 attack: s = 26 - 12 = 14 honest ones have to follow, (38 - 14) / 38 = 24 / 38 need not.
TEST(Alie, TakesTheQuantileOfThePaper) {
  EXPECT_DOUBLE_EQ(AlieQuantile(50, 12), NormalQuantile(24.0 / 38));
  EXPECT_NEAR(AlieQuantile(50, 12), 0.336, 1e-3);
}

TEST(Alie, HasAQuantileForEveryNumberOfClients) {
  EXPECT_NEAR(AlieQuantile(2, 1), 0, 1e-15);
  EXPECT_NEAR(AlieQuantile(4, 3), 0, 1e-15);
  EXPECT_DOUBLE_EQ(AlieQuantile(12, 8), NormalQuantile(3.5 / 4)) << "s is below 0";
}

TEST(Reversed, IsTheMeanTurnedRound) { EXPECT_THAT(Reversed(kThree, 0.5), ElementsAre(-1, -1)); }

TEST(Noise, HasTheNormAskedForAndItsOwnDraw) {
  for (const auto& noise : {GaussianNoise, UniformNoise}) {
    const Vector one = noise(1000, 3, 7);
    EXPECT_NEAR(NormOf(one), 3, 1e-12);
    EXPECT_EQ(one, noise(1000, 3, 7));
    EXPECT_LT(std::abs(Dot(one, noise(1000, 3, 8))), 9 * 0.15) << "nearly orthogonal";
  }
}

// The fourth moment tells them apart: 3 for a normal distribution, 1.8 for a uniform one.
TEST(Noise, HasTheShapeOfItsName) {
  const auto kurtosis = [](const Vector& x) {
    double square = 0, fourth = 0;
    for (const double value : x) square += value * value, fourth += value * value * value * value;
    return fourth * static_cast<double>(x.size()) / (square * square);
  };
  EXPECT_NEAR(kurtosis(GaussianNoise(100'000, 1, 1)), 3, 0.1);
  EXPECT_NEAR(kurtosis(UniformNoise(100'000, 1, 1)), 1.8, 0.02);
}

TEST(SybilDuplicate, PointsAgainstTheMeanAtTheMedianNorm) {
  const std::vector<Vector> honest = {{3, 0}, {0, 4}, {6, 8}};
  const Vector exact = SybilDuplicate(honest, 0, 1);  // The mean is (3, 4), the median norm 4.
  EXPECT_NEAR(exact[0], -3 * 0.8, 1e-12);
  EXPECT_NEAR(exact[1], -4 * 0.8, 1e-12);
  const Vector one = SybilDuplicate(honest, 1e-3, 1), other = SybilDuplicate(honest, 1e-3, 2);
  EXPECT_NE(one, other);
  EXPECT_GT(Dot(one, other) / (NormOf(one) * NormOf(other)), 1 - 1e-5);
  EXPECT_THAT(SybilDuplicate(std::vector<Vector>{{0, 0}}, 1e-3, 1), ElementsAre(0, 0));
}

// Three honest updates that sum to (6, 6), one attacker that sends (1, 1), two that complete the mean of six.
TEST(CompletesMean, MakesTheMeanOfAllWhatIsWanted) {
  const Vector wanted = {1, 1}, rest = CompletesMean(kThree, wanted, 6, 3, 1);
  EXPECT_THAT(rest, ElementsAre(-0.5, -0.5));
  EXPECT_EQ((6 + 1 + 2 * rest[0]) / 6, wanted[0]);
}

}  // namespace
}  // namespace cairn::attacks
