#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "aggregators/kernels/largest_eigenvalue.h"
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

// The largest eigenvalue of H K_S H / |S|, H = I - 1 1^T / |S|.
double VarianceOf(const SmallMatrix& gram, const std::vector<std::size_t>& subset) {
  const std::size_t m = subset.size();
  const auto h = [m](std::size_t i, std::size_t j) { return (i == j ? 1. : 0.) - 1. / static_cast<double>(m); };
  SmallMatrix kh = SmallMatrix::Zero(m, m), hkh = SmallMatrix::Zero(m, m);
  for (std::size_t i = 0; i < m; ++i) {
    for (std::size_t j = 0; j < m; ++j) {
      for (std::size_t k = 0; k < m; ++k) kh.at(i, j) += gram.at(subset[i], subset[k]) * h(k, j);
    }
  }
  for (std::size_t i = 0; i < m; ++i) {
    for (std::size_t j = 0; j < m; ++j) {
      for (std::size_t k = 0; k < m; ++k) hkh.at(i, j) += h(i, k) * kh.at(k, j) / static_cast<double>(m);
    }
  }
  return kernels::LargestEigenvalue(hkh);
}

// Among all subsets, in lexicographic order.
std::vector<std::size_t> FirstOfLeastVariance(const SmallMatrix& gram, std::size_t left_out) {
  std::vector<bool> kept(gram.rows, true);
  std::fill(kept.end() - static_cast<std::ptrdiff_t>(left_out), kept.end(), false);
  double best = std::numeric_limits<double>::infinity();
  std::vector<std::size_t> least;
  do {
    std::vector<std::size_t> subset;
    for (std::size_t i = 0; i < gram.rows; ++i) {
      if (kept[i]) subset.push_back(i);
    }
    const double variance = VarianceOf(gram, subset);
    if (variance >= best * (1 - 1e-12)) continue;
    best = variance;
    least = subset;
  } while (std::prev_permutation(kept.begin(), kept.end()));
  return least;
}

TEST(Smea, AveragesThoseThatVaryLeast) {
  const auto output = WeighGram("smea:f=2", GramOfLine({9, 0, 3, 20, 0}));
  ASSERT_TRUE(output.ok()) << output.status();
  EXPECT_THAT(output->weights, ElementsAre(0, 1. / 3, 1. / 3, 0, 1. / 3));
  // The variance of 0, 3 and 0 is 6 / 3.
  EXPECT_THAT(output->reasons, ElementsAre("not among the 3 of the least variance, 2", "", "",
                                           "not among the 3 of the least variance, 2", ""));
}

TEST(Smea, LooksAtTheWidestDirectionAndNotAtTheTotalVariance) {
  // Without the last: variance 2 along either axis. With it, without another: more than 2 along one, but less in all.
  const auto output = WeighGram("smea:f=1", GramOf({{2, 0, 0}, {-2, 0, 0}, {0, 2, 0}, {0, -2, 0}, {0, 2.5, 0}}));
  EXPECT_THAT(ChosenOf(*output), ElementsAre(0, 1, 2, 3));
}

TEST(Smea, IsTheBestOfAllSubsets) {
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    for (const std::size_t f : {0, 1, 2, 4}) {
      for (const std::size_t coordinates : {1, 2, 5, 40}) {
        const std::string rule = "smea:f=" + std::to_string(f);
        const SmallMatrix gram = testing::RandomGram(seed, 11, coordinates);
        EXPECT_EQ(ChosenOf(*WeighGram(rule, gram)), FirstOfLeastVariance(gram, f)) << rule << ", " << seed;
      }
    }
  }
}

TEST(Smea, OfSubsetsThatVaryAlikeTakesTheFirst) {
  EXPECT_THAT(ChosenOf(*WeighGram("smea:f=2", GramOfLine({0.1, 0.1, 0.1, 0.1, 0.1}))), ElementsAre(0, 1, 2));
  EXPECT_THAT(ChosenOf(*WeighGram("smea:f=1", GramOf({{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}))), ElementsAre(0, 1));
  // Points and their mirror images, so that each subset varies as its own image does, but for rounding.
  const SmallMatrix mirrored =
      GramOf({{9, 9}, {0.1, -0.9}, {0.9, 0.2}, {-0.2, -0.1}, {0.2, 0.1}, {-0.9, -0.2}, {-0.1, 0.9}});
  EXPECT_THAT(ChosenOf(*WeighGram("smea:f=3", mirrored)), ElementsAre(1, 3, 4, 5));
}

TEST(Smea, ScalesMayBeFarApart) {
  EXPECT_THAT(ChosenOf(*WeighGram("smea:f=2", GramOfLine({1e30, 1e-30, 2e-30, 3e-30, -1e30}))), ElementsAre(1, 2, 3));
  for (const double unit : {1e-150, 1e-30, 1e30, 1e140}) {
    EXPECT_THAT(ChosenOf(*WeighGram("smea:f=1", GramOfLine({9 * unit, 1 * unit, 2 * unit, 0}))), ElementsAre(1, 2, 3))
        << unit;
  }
  EXPECT_THAT(ChosenOf(*WeighGram("smea:f=1", GramOfLine({0, 0, 0}))), ElementsAre(0, 1));
  EXPECT_THAT(ChosenOf(*WeighGram("smea:f=1", GramOfLine({1e-160, 2e-160, 1e-160}))), ElementsAre(0, 2));
  EXPECT_THAT(ChosenOf(*WeighGram("smea:f=0", GramOfLine({1}))), ElementsAre(0));
}

TEST(Smea, ColumnsThatAreNoClientsDoNotCount) {
  EXPECT_THAT(WeighGram("smea:f=1", GramOfLine({5, 1, 2, 5, 5}), 3)->weights, ElementsAre(0, 0.5, 0.5, 0, 0));
}

TEST(Smea, RefusesTooFewClientsAndTooManySubsets) {
  EXPECT_EQ(RefusalOf("smea:f=2", 5), "");
  EXPECT_EQ(RefusalOf("smea:f=2", 4), "rule smea with f = 2 needs at least 5 clients (n >= 2f + 1), got 4");
  EXPECT_EQ(RefusalOf("smea:f=4", 40), "");
  EXPECT_EQ(RefusalOf("smea:f=0.25", 24),
            "rule smea with f = 6 has to choose among 134596 subsets of 24 clients, C(n, f), expected at most 100000");
  EXPECT_EQ(RefusalOf("smea:f=1", 200), "");
  EXPECT_EQ(RefusalOf("smea:f=1", 201), "rule smea takes at most 200 clients, got 201");
  EXPECT_THAT(RefusalOf("smea", 5), HasSubstr("smea: f: expected how many clients may lie"));
}

}  // namespace
}  // namespace cairn
