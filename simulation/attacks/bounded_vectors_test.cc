#include "simulation/attacks/bounded_vectors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace cairn::attacks {
namespace {

using ::testing::ElementsAre;

double Distance(const Vector& x, const Vector& y) {
  Vector difference = x;
  AddScaled(-1, y, difference);
  return NormOf(difference);
}

double LargestDistance(const Vector& x, const std::vector<Vector>& honest) {
  double largest = 0;
  for (const Vector& y : honest) largest = std::max(largest, Distance(x, y));
  return largest;
}

double SumOfSquares(const Vector& x, const std::vector<Vector>& honest) {
  double sum = 0;
  for (const Vector& y : honest) sum += Distance(x, y) * Distance(x, y);
  return sum;
}

// On a line: the mean is 2, the largest distance 4, so that the forged one may be 4 away from the update at 4.
TEST(MinMax, GoesAsFarAsHonestUpdatesAreApart) {
  const std::vector<Vector> line = {{0}, {2}, {4}};
  for (const Direction direction : {Direction::kUnit, Direction::kDeviation, Direction::kSign}) {
    EXPECT_NEAR(MinMax(line, direction)[0], 0, 1e-12);
  }
}

// Sums of squares are 20, 8 and 20 around 0, 2 and 4; around 2 - g they are 8 + 3 g^2.
TEST(MinSum, GoesAsFarAsTheSumOfSquaresAllows) {
  const std::vector<Vector> line = {{0}, {2}, {4}};
  for (const Direction direction : {Direction::kUnit, Direction::kDeviation, Direction::kSign}) {
    EXPECT_NEAR(MinSum(line, direction)[0], 2 - 2, 1e-12);
  }
}

TEST(Bounded, MovesFromTheMeanInTheDirectionOfItsName) {
  const std::vector<Vector> honest = {{4, 1, 0}, {2, 3, 0}};  // Mean (3, 2, 0), deviations (sqrt 2, sqrt 2, 0).
  const auto moved = [&](Direction direction) {
    Vector move = MinMax(honest, direction);
    AddScaled(-1, MeanOf(honest), move);
    return Scaled(1 / move[0], move);
  };
  EXPECT_THAT(moved(Direction::kUnit), ElementsAre(1, ::testing::DoubleNear(2.0 / 3, 1e-12), 0));
  EXPECT_THAT(moved(Direction::kDeviation), ElementsAre(1, ::testing::DoubleNear(1, 1e-12), 0));
  EXPECT_THAT(moved(Direction::kSign), ElementsAre(1, ::testing::DoubleNear(1, 1e-12), 0));
}

TEST(Bounded, TouchesTheBound) {
  std::vector<Vector> honest;
  for (int i = 0; i < 5; ++i) honest.push_back({std::sin(i), std::cos(3 * i), 1 + 0.1 * i, 0.3 * std::sin(7 * i)});
  double apart = 0, sums = 0;
  for (const Vector& x : honest) {
    apart = std::max(apart, LargestDistance(x, honest));
    sums = std::max(sums, SumOfSquares(x, honest));
  }
  for (const Direction direction : {Direction::kUnit, Direction::kDeviation, Direction::kSign}) {
    EXPECT_NEAR(LargestDistance(MinMax(honest, direction), honest), apart, 1e-12);
    EXPECT_NEAR(SumOfSquares(MinSum(honest, direction), honest), sums, 1e-12);
  }
}

TEST(Bounded, IsTheMeanWhereNothingMayBeAdded) {
  for (const Direction direction : {Direction::kUnit, Direction::kDeviation, Direction::kSign}) {
    EXPECT_THAT(MinMax(std::vector<Vector>{{1, 2}}, direction), ElementsAre(1, 2));
    EXPECT_THAT(MinSum(std::vector<Vector>{{0, 0}, {0, 0}}, direction), ElementsAre(0, 0));
  }
}

}  // namespace
}  // namespace cairn::attacks
