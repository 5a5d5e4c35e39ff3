#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "aggregators/kernels/reference_columns.h"
#include "aggregators/rule_testing.h"

namespace cairn {
namespace {

using kernels::SmallMatrix;
using kernels::reference::GramOf;
using testing::ChosenOf;
using ::testing::ElementsAre;
using testing::GramOfLine;
using ::testing::HasSubstr;
using testing::RefusalOf;
using testing::WeighGram;

// Among all subsets, in lexicographic order.
std::vector<std::size_t> FirstOfLeastDiameter(const SmallMatrix& gram, std::size_t left_out) {
  std::vector<bool> kept(gram.rows, true);
  std::fill(kept.end() - static_cast<std::ptrdiff_t>(left_out), kept.end(), false);
  double best = std::numeric_limits<double>::infinity();
  std::vector<std::size_t> subset;
  do {
    double diameter = 0;
    for (std::size_t i = 0; i < gram.rows; ++i) {
      for (std::size_t j = 0; j < i; ++j) {
        if (kept[i] && kept[j]) diameter = std::max(diameter, kernels::SquaredDistance(gram, i, j));
      }
    }
    if (diameter >= best) continue;
    best = diameter;
    subset.clear();
    for (std::size_t i = 0; i < gram.rows; ++i) {
      if (kept[i]) subset.push_back(i);
    }
  } while (std::prev_permutation(kept.begin(), kept.end()));
  return subset;
}

TEST(Mda, AveragesThoseThatLieClosestTogether) {
  const auto output = WeighGram("mda:f=2", GramOfLine({9, 0, 3, 20, 1}));
  ASSERT_TRUE(output.ok()) << output.status();
  EXPECT_THAT(output->weights, ElementsAre(0, 1. / 3, 1. / 3, 0, 1. / 3));
  EXPECT_THAT(output->reasons, ElementsAre("not among the 3 of the least diameter, 3", "", "",
                                           "not among the 3 of the least diameter, 3", ""));
}

TEST(Mda, OfSubsetsWithOneDiameterTakesTheFirst) {
  EXPECT_THAT(ChosenOf(*WeighGram("mda:f=1", GramOfLine({0, 1, 2, 3}))), ElementsAre(0, 1, 2));
  EXPECT_THAT(ChosenOf(*WeighGram("mda:f=2", GramOfLine({3, 0, 2, 1, 2, 9}))), ElementsAre(0, 2, 3, 4));
  EXPECT_THAT(ChosenOf(*WeighGram("mda:f=2", GramOfLine({4, 4, 4, 4, 4}))), ElementsAre(0, 1, 2));
  EXPECT_THAT(ChosenOf(*WeighGram("mda:f=2", GramOf({{1, 0, 0}, {0, 1, 0}, {0, 0, 1}, {-1, 0, 0}, {0, -1, 0}}))),
              ElementsAre(0, 1, 2));
}

TEST(Mda, IsTheBestOfAllSubsets) {
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    for (const std::size_t f : {0, 1, 2, 3, 4}) {
      const std::string rule = "mda:f=" + std::to_string(f);
      const SmallMatrix gram = testing::RandomGram(seed, 9, 3);
      EXPECT_EQ(ChosenOf(*WeighGram(rule, gram)), FirstOfLeastDiameter(gram, f)) << rule << ", " << seed;
    }
  }
}

TEST(Mda, IsTheFirstOfManyThatTie) {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    // Points of a small grid, so that most distances are there several times.
    std::vector<std::vector<double>> points;
    for (std::uint64_t i = 0, state = seed; i < 9; ++i) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      points.push_back({static_cast<double>(state >> 62), static_cast<double>(state >> 60 & 3)});
    }
    for (const std::size_t f : {1, 2, 3, 4}) {
      const std::string rule = "mda:f=" + std::to_string(f);
      EXPECT_EQ(ChosenOf(*WeighGram(rule, GramOf(points))), FirstOfLeastDiameter(GramOf(points), f))
          << rule << ", " << seed;
    }
  }
}

TEST(Mda, ScalesMayBeFarApart) {
  EXPECT_THAT(ChosenOf(*WeighGram("mda:f=2", GramOfLine({1e30, 1e-30, 2e-30, 3e-30, -1e30}))), ElementsAre(1, 2, 3));
  EXPECT_THAT(ChosenOf(*WeighGram("mda:f=1", GramOfLine({0, 1e-160, 1e-160}))), ElementsAre(1, 2));
  EXPECT_THAT(ChosenOf(*WeighGram("mda:f=0", GramOfLine({1}))), ElementsAre(0));
}

TEST(Mda, ColumnsThatAreNoClientsDoNotCount) {
  EXPECT_THAT(WeighGram("mda:f=1", GramOfLine({5, 1, 2, 5, 5}), 3)->weights, ElementsAre(0, 0.5, 0.5, 0, 0));
}

TEST(Mda, RefusesTooFewClientsAndTooManySubsets) {
  EXPECT_EQ(RefusalOf("mda:f=2", 5), "");
  EXPECT_EQ(RefusalOf("mda:f=2", 4), "rule mda with f = 2 needs at least 5 clients (n >= 2f + 1), got 4");
  EXPECT_EQ(RefusalOf("mda:f=0", 10'000), "");
  EXPECT_EQ(RefusalOf("mda:f=10", 24), "");
  EXPECT_EQ(RefusalOf("mda:f=0.1", 100),
            "rule mda with f = 10 has to choose among 1.73103e+13 subsets of 100 clients, C(n, f), expected at most "
            "2000000");
  EXPECT_THAT(RefusalOf("mda:f=4000", 10'000), HasSubstr("expected at most 2000000"));
  EXPECT_THAT(RefusalOf("mda", 5), HasSubstr("mda: f: expected how many clients may lie"));
}

}  // namespace
}  // namespace cairn
