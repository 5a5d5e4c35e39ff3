#include "aggregators/kernels/cluster.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "aggregators/kernels/reference_lowrank.h"

namespace cairn::kernels {
namespace {

using reference::Matrix;
using ::testing::DoubleNear;
using ::testing::ElementsAre;

// Vectors are the rows.
std::vector<double> GramOf(const Matrix& x) {
  std::vector<double> gram;
  for (std::int64_t i = 0; i < x.rows; ++i) {
    for (std::int64_t j = 0; j < x.rows; ++j) {
      double sum = 0;
      for (std::int64_t k = 0; k < x.columns; ++k) sum += x.at(i, k) * x.at(j, k);
      gram.push_back(sum);
    }
  }
  return gram;
}

// The weighted squared distances to the centres of `clustering`, up to sign; `nearest` false: to the vector's own one.
double Cost(const Matrix& x, const std::vector<double>& weights, const Clustering& clustering, bool nearest) {
  Matrix centres = Matrix::Zero(clustering.clusters, x.columns);
  for (std::int64_t i = 0; i < x.rows; ++i) {
    for (std::int64_t k = 0; k < x.columns; ++k) {
      centres.at(clustering.of[i], k) += clustering.coefficients[i] * x.at(i, k);
    }
  }
  double cost = 0;
  for (std::int64_t i = 0; i < x.rows; ++i) {
    double best = std::numeric_limits<double>::infinity();
    for (std::int64_t c = 0; c < clustering.clusters; ++c) {
      if (!nearest && c != clustering.of[i]) continue;
      for (const int sign : {-1, 1}) {
        double distance = 0;
        for (std::int64_t k = 0; k < x.columns; ++k) distance += std::pow(x.at(i, k) - sign * centres.at(c, k), 2);
        best = std::min(best, distance);
      }
    }
    cost += weights[i] * best;
  }
  return cost;
}

TEST(KMeans, EveryVectorIsWithItsNearestCentre) {
  const Matrix x = reference::RandomMatrix(1, 40, 5);
  std::vector<double> weights;
  for (int i = 0; i < 40; ++i) weights.push_back(1 + i % 3);
  const Clustering out = KMeans(GramOf(x), weights, 6);
  EXPECT_EQ(out.clusters, 6);
  EXPECT_NEAR(Cost(x, weights, out, false), Cost(x, weights, out, true), 1e-9);
  // Better than all in one.
  EXPECT_LT(Cost(x, weights, out, false), 0.7 * Cost(x, weights, KMeans(GramOf(x), weights, 1), false));
}

TEST(KMeans, FindsWhatIsThereUpToSign) {
  // Three directions, each four times, with both signs and a little noise.
  Matrix x = Matrix::Zero(12, 4);
  const Matrix noise = reference::RandomMatrix(5, 12, 4);
  for (std::int64_t i = 0; i < 12; ++i) {
    for (std::int64_t k = 0; k < 4; ++k) x.at(i, k) = 0.01 * noise.at(i, k);
    x.at(i, i % 3) += i % 2 == 0 ? 1 : -1;
  }
  const Clustering out = KMeans(GramOf(x), std::vector<double>(12, 1), 3);
  ASSERT_EQ(out.clusters, 3);
  for (std::size_t i = 3; i < 12; ++i) EXPECT_EQ(out.of[i], out.of[i - 3]);
  for (std::size_t i = 0; i < 12; ++i) {
    EXPECT_NEAR(std::abs(out.coefficients[i]), 0.25, 1e-15);
    const auto turned = [&](std::size_t j) { return (out.coefficients[j] > 0) == (j % 2 == 0); };
    EXPECT_EQ(turned(i), turned(i % 3)) << "vector " << i << " counts with the wrong sign";
  }
}

TEST(KMeans, WeighsTheMembersOfACluster) {
  const Matrix x{3, 1, {1, -2, 0.5}};
  const Clustering out = KMeans(GramOf(x), std::vector<double>{1, 2, 5}, 1);
  EXPECT_THAT(out.of, ElementsAre(0, 0, 0));
  EXPECT_NEAR(std::abs(out.coefficients[0]), 1.0 / 8, 1e-15);
  EXPECT_NEAR(out.coefficients[0], -out.coefficients[1] / 2, 1e-15);
  EXPECT_NEAR(out.coefficients[0], out.coefficients[2] / 5, 1e-15);
}

TEST(KMeans, GivesNoMoreClustersThanThereAreDifferentVectors) {
  const Matrix two{5, 2, {1, 0, 0, 2, -1, 0, 0, 2, 1, 0}};
  const Clustering out = KMeans(GramOf(two), std::vector<double>(5, 1), 4);
  EXPECT_EQ(out.clusters, 2);
  EXPECT_THAT(out.of, ElementsAre(0, 1, 0, 1, 0));
  const Matrix zero = Matrix::Zero(3, 2);
  EXPECT_EQ(KMeans(GramOf(zero), std::vector<double>(3, 1), 2).clusters, 1);
}

TEST(KMeans, AsManyClustersAsVectorsKeepsEveryOne) {
  const Matrix x = reference::RandomMatrix(3, 7, 30);
  const Clustering out = KMeans(GramOf(x), std::vector<double>(7, 0.3), 7);
  EXPECT_EQ(out.clusters, 7);
  std::vector<std::int64_t> of = out.of;
  std::sort(of.begin(), of.end());
  EXPECT_THAT(of, ElementsAre(0, 1, 2, 3, 4, 5, 6));
  for (const double coefficient : out.coefficients) EXPECT_THAT(std::abs(coefficient), DoubleNear(1, 1e-15));
}

TEST(KMeans, OrderOfTheVectorsDoesNotMatter) {
  const Matrix x = reference::RandomMatrix(9, 30, 6);
  Matrix reversed = x;
  for (std::int64_t i = 0; i < 30; ++i) {
    for (std::int64_t k = 0; k < 6; ++k) reversed.at(29 - i, k) = x.at(i, k);
  }
  const std::vector<double> weights(30, 1);
  const Clustering forward = KMeans(GramOf(x), weights, 5), backward = KMeans(GramOf(reversed), weights, 5);
  for (std::size_t i = 0; i < 30; ++i) {
    for (std::size_t j = 0; j < 30; ++j) {
      EXPECT_EQ(forward.of[i] == forward.of[j], backward.of[29 - i] == backward.of[29 - j]);
    }
  }
}

}  // namespace
}  // namespace cairn::kernels
