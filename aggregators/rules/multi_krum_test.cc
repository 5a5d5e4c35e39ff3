#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "aggregators/rule_testing.h"

namespace cairn {
namespace {

using kernels::SmallMatrix;
using testing::ChosenOf;
using ::testing::ElementsAre;
using testing::GramOfLine;
using testing::RefusalOf;
using testing::WeighGram;

// Krum's scores for f = 1: 10, 5, 13, 50, 65; as ByzFL has them 110/3, 86/3, 62/3, 131/3, 165/3.
const SmallMatrix kLine = GramOfLine({0, 1, 3, 10, 11});

TEST(MultiKrum, AveragesTwoFewerThanTheHonest) {
  const auto output = WeighGram("multi_krum:f=1", kLine);
  ASSERT_TRUE(output.ok()) << output.status();
  EXPECT_THAT(output->weights, ElementsAre(0.5, 0.5, 0, 0, 0));
  EXPECT_THAT(output->reasons,
              ElementsAre("", "", "krum score 13, the 2 chosen at most 10", "krum score 50, the 2 chosen at most 10",
                          "krum score 65, the 2 chosen at most 10"));
}

TEST(MultiKrum, AveragesAsManyAsThereAreHonestAsByzfl) {
  EXPECT_THAT(WeighGram("multi_krum:f=1,convention=byzfl", kLine)->weights, ElementsAre(0.25, 0.25, 0.25, 0.25, 0));
}

TEST(MultiKrum, AveragesAsManyAsAskedFor) {
  EXPECT_THAT(ChosenOf(*WeighGram("multi_krum:f=1,m=1", kLine)), ElementsAre(1));
  EXPECT_THAT(ChosenOf(*WeighGram("multi_krum:f=1,m=4", kLine)), ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(ChosenOf(*WeighGram("multi_krum:f=1,m=2,convention=byzfl", kLine)), ElementsAre(1, 2));
}

TEST(MultiKrum, TiesGoToTheFirst) {
  const auto same = WeighGram("multi_krum:f=1,m=3", GramOfLine({2, 2, 2, 2, 2}));
  EXPECT_THAT(ChosenOf(*same), ElementsAre(0, 1, 2));
  EXPECT_EQ(same->reasons[3], "krum score 0, the 3 chosen at most 0");
  // Scores 2, 1, 2, 200, 200 with two columns at either end of a tie.
  EXPECT_THAT(ChosenOf(*WeighGram("multi_krum:f=2,m=2,convention=byzfl", GramOfLine({0, 1, 2, 50, 60}))),
              ElementsAre(0, 1));
}

TEST(MultiKrum, ScalesMayBeFarApart) {
  EXPECT_THAT(ChosenOf(*WeighGram("multi_krum:f=1", GramOfLine({1e30, 1e-30, -1e30, 4e-30, 2e-30}))),
              ElementsAre(1, 4));
  EXPECT_THAT(ChosenOf(*WeighGram("multi_krum:f=1", GramOfLine({0, 0, 0, 0, 1e-160}))), ElementsAre(0, 1));
}

TEST(MultiKrum, RefusesTooFewClientsAndTooMany) {
  EXPECT_EQ(RefusalOf("multi_krum:f=1", 4), "rule multi_krum with f = 1 needs at least 5 clients (n >= 2f + 3), got 4");
  EXPECT_EQ(RefusalOf("multi_krum:f=1,convention=byzfl", 3), "");
  EXPECT_EQ(RefusalOf("multi_krum:f=2,m=8", 10), "");
  EXPECT_EQ(RefusalOf("multi_krum:f=0.2,m=9", 10),
            "rule multi_krum: m: expected at most n - f = 8 of 10 clients with f = 2, got 9");
  EXPECT_EQ(RefusalOf("multi_krum:f=2,m=0", 10), "multi_krum: m: expected an integer from 1 to 10000, got \"0\"");
}

}  // namespace
}  // namespace cairn
