#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "aggregators/rule_testing.h"

namespace cairn {
namespace {

using testing::ChosenOf;
using ::testing::ElementsAre;
using testing::GramOfLine;
using ::testing::HasSubstr;
using testing::RefusalOf;
using testing::WeighGram;

TEST(Monna, AveragesThoseNearestToThePivot) {
  const auto output = WeighGram("monna:f=2,pivot=alice", GramOfLine({0, 5, 4, 30, 6, 5}), 5);
  ASSERT_TRUE(output.ok()) << output.status();
  EXPECT_THAT(output->weights, ElementsAre(0, 1. / 3, 1. / 3, 0, 1. / 3, 0));
  EXPECT_THAT(output->reasons, ElementsAre("5 away from alice, the 3 nearest at most 1", "", "",
                                           "25 away from alice, the 3 nearest at most 1", ""));
}

TEST(Monna, AsksForThePivotsOwnUpdate) {
  const auto rule = MakeRule("monna:f=1,pivot=alice");
  ASSERT_TRUE(rule.ok()) << rule.status();
  EXPECT_EQ((*rule)->needs().client, "alice");
  EXPECT_TRUE((*rule)->needs().client_counts);
}

TEST(Monna, ThePivotIsWhatItSentAndNotWhatGuardsMadeOfIt) {
  // The third column is the pivot's, pulled to the others.
  EXPECT_THAT(ChosenOf(*WeighGram("monna:f=1,pivot=p", GramOfLine({0, 9, 1, 10}), 3)), ElementsAre(1, 2));
}

TEST(Monna, TiesGoToTheFirst) {
  EXPECT_THAT(ChosenOf(*WeighGram("monna:f=2,pivot=p", GramOfLine({0, 1, 5, 9, 5, 5}), 5)), ElementsAre(1, 2, 4));
  EXPECT_THAT(ChosenOf(*WeighGram("monna:f=1,pivot=p", GramOfLine({0, 0, 0, 0}), 3)), ElementsAre(0, 1));
}

TEST(Monna, ScalesMayBeFarApart) {
  EXPECT_THAT(ChosenOf(*WeighGram("monna:f=1,pivot=p", GramOfLine({1e30, 1e-30, 2e-30, 3e-30}), 3)), ElementsAre(1, 2));
  EXPECT_THAT(ChosenOf(*WeighGram("monna:f=1,pivot=p", GramOfLine({0, 1e-150, -1e30, 1e30}), 3)), ElementsAre(0, 1));
  EXPECT_THAT(ChosenOf(*WeighGram("monna:f=0,pivot=p", GramOfLine({1, 1}), 1)), ElementsAre(0));
}

TEST(Monna, RefusesTooFewClientsAndOptions) {
  EXPECT_EQ(RefusalOf("monna:f=0.4,pivot=p", 5), "");
  EXPECT_EQ(RefusalOf("monna:f=2,pivot=p", 4), "rule monna with f = 2 needs at least 5 clients (n >= 2f + 1), got 4");
  EXPECT_EQ(RefusalOf("monna:f=1", 5), "monna: pivot: expected the id of a client, got nothing");
  EXPECT_THAT(RefusalOf("monna:f=1,pivot=a b", 5), HasSubstr("monna: pivot \"a b\": expected 1 to 64 characters"));
  EXPECT_THAT(RefusalOf("monna:pivot=p", 5), HasSubstr("monna: f: expected how many clients may lie"));
}

}  // namespace
}  // namespace cairn
