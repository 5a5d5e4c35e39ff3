#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "aggregators/rule_testing.h"

namespace cairn {
namespace {

using kernels::CoordinateRule;
using kernels::SmallMatrix;
using testing::ChosenOf;
using ::testing::ElementsAre;
using testing::GramOfLine;
using testing::RefusalOf;
using testing::WeighGram;

// Krum among the columns left, until n - 2f are picked, all scored anew each time.
std::vector<std::size_t> PickedOneByOne(const SmallMatrix& gram, std::size_t f, bool byzfl) {
  std::vector<std::size_t> left, picked;
  for (std::size_t i = 0; i < gram.rows; ++i) left.push_back(i);
  while (picked.size() < gram.rows - 2 * f) {
    const std::size_t apart = f + (byzfl ? 1 : 2), neighbours = left.size() > apart ? left.size() - apart : 1;
    double best = std::numeric_limits<double>::infinity();
    std::size_t winner = left[0];
    for (const std::size_t i : left) {
      std::vector<double> distances;
      for (const std::size_t j : left) {
        if (j != i) distances.push_back(kernels::SquaredDistance(gram, i, j));
      }
      std::sort(distances.begin(), distances.end());
      double score = 0;
      for (std::size_t k = 0; k < std::min(neighbours, distances.size()); ++k) score += distances[k];
      if (score < best) best = score, winner = i;
    }
    picked.push_back(winner);
    left.erase(std::find(left.begin(), left.end(), winner));
  }
  std::sort(picked.begin(), picked.end());
  return picked;
}

TEST(Bulyan, TakesTheValuesNearestToTheMedianOfThePicks) {
  // Picked in this order: 2, 1, 3, 0; then, of the last three, 50 is nearer to 60 than 4 to 50.
  const auto output = WeighGram("bulyan:f=1", GramOfLine({0, 1, 2, 3, 4, 50, 60}));
  ASSERT_TRUE(output.ok()) << output.status();
  EXPECT_THAT(output->weights, ElementsAre(0.2, 0.2, 0.2, 0.2, 0, 0.2, 0));
  EXPECT_THAT(output->reasons, ElementsAre("", "", "", "", "not among the 5 that krum picked one after the other", "",
                                           "not among the 5 that krum picked one after the other"));
  ASSERT_TRUE(output->coordinates.has_value());
  EXPECT_EQ(output->coordinates->kind, CoordinateRule::Kind::kMeamed);
  EXPECT_EQ(output->coordinates->count, 3);
}

TEST(Bulyan, IsCoordinateWise) { EXPECT_TRUE((*MakeRule("bulyan:f=1"))->coordinate_wise()); }

TEST(Bulyan, ScoresThoseLeftAnewAfterEachPick) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const SmallMatrix gram = testing::RandomGram(seed, 15, 3);
    EXPECT_EQ(ChosenOf(*WeighGram("bulyan:f=3", gram)), PickedOneByOne(gram, 3, false)) << seed;
    EXPECT_EQ(ChosenOf(*WeighGram("bulyan:f=3,convention=byzfl", gram)), PickedOneByOne(gram, 3, true)) << seed;
    EXPECT_EQ(ChosenOf(*WeighGram("bulyan:f=1", gram)), PickedOneByOne(gram, 1, false)) << seed;
  }
}

TEST(Bulyan, WithoutLiarsPicksAll) {
  const auto output = WeighGram("bulyan:f=0", GramOfLine({0, 5, 1}));
  EXPECT_THAT(ChosenOf(*output), ElementsAre(0, 1, 2));
  EXPECT_EQ(output->coordinates->count, 3);
}

TEST(Bulyan, TiesGoToTheFirst) {
  EXPECT_THAT(ChosenOf(*WeighGram("bulyan:f=1", GramOfLine({3, 3, 3, 3, 3, 3, 3}))), ElementsAre(0, 1, 2, 3, 4));
  EXPECT_THAT(ChosenOf(*WeighGram("bulyan:f=2", GramOfLine(std::vector<double>(11, 0)))),
              ElementsAre(0, 1, 2, 3, 4, 5, 6));
}

TEST(Bulyan, ScalesMayBeFarApart) {
  EXPECT_THAT(ChosenOf(*WeighGram("bulyan:f=1", GramOfLine({1e-30, 2e-30, 3e-30, 4e-30, 5e-30, 1e30, -2e30}))),
              ElementsAre(0, 1, 2, 3, 4));
}

TEST(Bulyan, RefusesTooFewClients) {
  EXPECT_EQ(RefusalOf("bulyan:f=2", 11), "");
  EXPECT_EQ(RefusalOf("bulyan:f=2", 10), "rule bulyan with f = 2 needs at least 11 clients (n >= 4f + 3), got 10");
  EXPECT_EQ(RefusalOf("bulyan:f=0.25,convention=byzfl", 8),
            "rule bulyan with f = 2 needs at least 11 clients (n >= 4f + 3), got 8");
}

}  // namespace
}  // namespace cairn
