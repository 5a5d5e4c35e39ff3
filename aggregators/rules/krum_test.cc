#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "aggregators/rule_testing.h"

namespace cairn {
namespace {

using kernels::SmallMatrix;
using testing::ChosenOf;
using ::testing::ElementsAre;
using testing::GramOfLine;
using ::testing::HasSubstr;
using testing::RefusalOf;
using testing::WeighGram;

// Squared distances from the columns: {1, 9, 100, 121}, {1, 4, 81, 100}, {4, 9, 49, 64}, {1, 49, 81, 100}, {1, 64, 100,
// 121}.
const SmallMatrix kLine = GramOfLine({0, 1, 3, 10, 11});

TEST(Krum, AddsTheDistancesToTwoFewerThanTheHonest) {
  const auto output = WeighGram("krum:f=1", kLine);
  ASSERT_TRUE(output.ok()) << output.status();
  EXPECT_THAT(output->weights, ElementsAre(0, 1, 0, 0, 0));
  EXPECT_THAT(output->reasons, ElementsAre("krum score 10, above the chosen 5", "", "krum score 13, above the chosen 5",
                                           "krum score 50, above the chosen 5", "krum score 65, above the chosen 5"));
  EXPECT_FALSE(output->coordinates.has_value());
}

TEST(Krum, AveragesOneMoreDistanceAsByzfl) {
  const auto output = WeighGram("krum:f=1,convention=byzfl", kLine);
  ASSERT_TRUE(output.ok()) << output.status();
  EXPECT_THAT(output->weights, ElementsAre(0, 0, 1, 0, 0));
  EXPECT_EQ(output->reasons[4], "krum score 55, above the chosen 20.6667");
}

TEST(Krum, TiesGoToTheFirst) {
  EXPECT_THAT(WeighGram("krum:f=0", GramOfLine({7, 3, 3, 3, 9}))->weights, ElementsAre(0, 1, 0, 0, 0));
  const auto same = WeighGram("krum:f=1", GramOfLine({0.1, 0.1, 0.1, 0.1, 0.1}));
  EXPECT_THAT(same->weights, ElementsAre(1, 0, 0, 0, 0));
  EXPECT_EQ(same->reasons[4], "krum score 0, as the chosen one, which comes first");
}

TEST(Krum, SameDistancesInAnotherOrderTie) {
  // Added in the order of the columns, those of column 0 would be a bit more than those of column 4.
  SmallMatrix gram = SmallMatrix::Zero(7, 7);
  const auto set = [&gram](std::size_t i, std::size_t j, double squared) {
    gram.at(i, j) = gram.at(j, i) = -squared / 2;
  };
  for (std::size_t i = 0; i < 7; ++i) {
    for (std::size_t j = 0; j < i; ++j) set(i, j, 50);
  }
  set(0, 1, 0.1), set(0, 2, 0.2), set(0, 3, 0.3);
  set(4, 1, 0.3), set(4, 2, 0.2), set(4, 3, 0.1);
  EXPECT_THAT(ChosenOf(*WeighGram("krum:f=2", gram)), ElementsAre(0));
}

TEST(Krum, OneCountsAlone) {
  EXPECT_THAT(WeighGram("krum:f=0,convention=byzfl", GramOfLine({5}))->weights, ElementsAre(1));
  EXPECT_THAT(WeighGram("krum:f=0,convention=byzfl", GramOfLine({5, 6}))->weights, ElementsAre(1, 0));
}

TEST(Krum, ColumnsThatAreNoClientsDoNotCount) {
  EXPECT_THAT(WeighGram("krum:f=0", GramOfLine({4, 6, 7, 4, 4, 4}), 3)->weights, ElementsAre(0, 1, 0, 0, 0, 0));
}

TEST(Krum, ScalesMayBeFarApart) {
  for (const double unit : {1e-100, 1e-30, 1., 1e30, 1e100}) {
    const auto output =
        WeighGram("krum:f=1", GramOfLine({1024 * unit, 1025 * unit, 1027 * unit, 1e40 * unit, -1e40 * unit}));
    EXPECT_THAT(ChosenOf(*output), ElementsAre(1)) << unit;
  }
  EXPECT_THAT(ChosenOf(*WeighGram("krum:f=1", GramOfLine({3e-160, 1e-160, 0, 2e-160, 1e-160}))), ElementsAre(1));
  EXPECT_THAT(ChosenOf(*WeighGram("krum:f=1", GramOfLine({0, 0, 0, 0, 0}))), ElementsAre(0));
}

TEST(Krum, TakesFaultyAsAPart) {
  EXPECT_EQ(RefusalOf("krum:f=0.25", 8), "");
  EXPECT_THAT(RefusalOf("krum:f=0.4", 8), HasSubstr("with f = 3 needs at least 9 clients"));
  // Two of ten: eight distances of which six count.
  EXPECT_THAT(WeighGram("krum:f=0.2", GramOfLine({0, 1, 2, 3, 4, 5, 6, 7, 80, 90}))->reasons[0],
              "krum score 91, above the chosen 28");
}

TEST(Krum, RefusesTooFewClients) {
  EXPECT_EQ(RefusalOf("krum:f=2", 7), "");
  EXPECT_EQ(RefusalOf("krum:f=2", 6), "rule krum with f = 2 needs at least 7 clients (n >= 2f + 3), got 6");
  EXPECT_EQ(RefusalOf("krum:f=2,convention=byzfl", 5), "");
  EXPECT_EQ(RefusalOf("krum:f=2,convention=byzfl", 4),
            "rule krum with f = 2 needs at least 5 clients (n >= 2f + 1), got 4");
}

TEST(Krum, RefusesOptions) {
  EXPECT_THAT(RefusalOf("krum", 9), HasSubstr("krum: f: expected how many clients may lie"));
  EXPECT_EQ(RefusalOf("krum:f=1,convention=mine", 9), "krum: convention: expected blanchard or byzfl, got \"mine\"");
  EXPECT_EQ(RefusalOf("krum:f=1,m=2", 9), "krum: has no option \"m\"");
}

TEST(Krum, ChoosesWhatItsDefinitionSays) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const SmallMatrix gram = testing::RandomGram(seed, 11, 4);
    std::vector<double> scores;
    for (std::size_t i = 0; i < 11; ++i) {
      std::vector<double> distances;
      for (std::size_t j = 0; j < 11; ++j) {
        if (j != i) distances.push_back(gram.at(i, i) - 2 * gram.at(i, j) + gram.at(j, j));
      }
      std::sort(distances.begin(), distances.end());
      double score = 0;
      for (std::size_t k = 0; k < 11 - 3 - 2; ++k) score += distances[k];
      scores.push_back(score);
    }
    const auto least = static_cast<std::size_t>(std::min_element(scores.begin(), scores.end()) - scores.begin());
    EXPECT_THAT(ChosenOf(*WeighGram("krum:f=3", gram)), ElementsAre(least)) << seed;
  }
}

}  // namespace
}  // namespace cairn
