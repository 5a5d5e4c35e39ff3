#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "absl/strings/str_cat.h"
#include "aggregators/column_testing.h"
#include "aggregators/kernels/reference_robust.h"
#include "aggregators/rule_testing.h"
#include "base/limits.h"

namespace cairn {
namespace {

using kernels::reference::Column;
using kernels::reference::Difference;
using kernels::reference::NormOf;
using kernels::reference::RandomColumns;
using kernels::reference::Times;
using ::testing::DoubleNear;
using ::testing::Each;
using ::testing::HasSubstr;
using testing::RefusalOf;
using testing::ResultOf;
using testing::Weigh;

struct FlagSetup {
  bool paper = true;  // Or the authors' program.
  std::size_t m = 1;
  double lambda = 0;
  int iterations = 5;
};

std::string SpecOf(const FlagSetup& setup) {
  return absl::StrCat("flag:variant=", setup.paper ? "paper" : "reference", ",m=", setup.m, ",lambda=", setup.lambda,
                      ",iterations=", setup.iterations);
}

// Relative to the result.
double ErrorOf(const FlagSetup& setup, const std::vector<Column>& updates) {
  const kernels::reference::FlagOptions options{.m = setup.m, .lambda = setup.lambda, .iterations = setup.iterations};
  const Column literal = setup.paper ? kernels::reference::FlagOfPaper(updates, options)
                                     : kernels::reference::FlagOfCode(updates, options);
  return NormOf(Difference(ResultOf(SpecOf(setup), {updates}), literal)) / NormOf(literal);
}

void ExpectAsLiteral(const std::vector<Column>& updates, const std::string& what) {
  for (const bool paper : {true, false}) {
    for (const std::size_t m : {1, 2, 4, 7}) {
      for (const double lambda : {0.0, 1.0, 7.0, 40.0}) {
        // The published program's steps do not descend, as its pairs' differences may be longer than 1: with a large
        // lambda they never settle, and blow up what is rounded.
        for (const int iterations : {1, 2, 5, paper ? 50 : 3}) {
          const FlagSetup setup{paper, m, lambda, iterations};
          EXPECT_LE(ErrorOf(setup, updates), 1e-9) << SpecOf(setup) << ": " << what;
        }
      }
    }
  }
}

TEST(Flag, IsTheAlgorithmOnTheVectorsThemselves) {
  for (const std::uint64_t seed : {1, 2, 3}) ExpectAsLiteral(RandomColumns(seed, 7, 12), absl::StrCat("seed ", seed));
  std::vector<Column> updates = RandomColumns(4, 7, 12);
  for (std::size_t i = 0; i < 7; ++i) updates[i] = Times(std::pow(10, 3 - static_cast<double>(i)), updates[i]);
  ExpectAsLiteral(updates, "of lengths from 1e3 to 1e-3");
}

// Fewer directions than clients.
TEST(Flag, TakesUpdatesThatDependOnEachOther) { ExpectAsLiteral(RandomColumns(5, 7, 3), "in 3 dimensions"); }

TEST(Flag, TakesUpdatesThatAreZeroOrEqual) {
  std::vector<Column> updates = RandomColumns(6, 7, 12);
  updates[2] = updates[5] = Column(12);
  updates[3] = updates[0];
  ExpectAsLiteral(updates, "two are zero, two are equal");
  const auto output = Weigh("flag", {updates});
  EXPECT_EQ(output->weights[2], 0);
  EXPECT_EQ(output->reasons[2], "its update is zero");
  EXPECT_TRUE(output->reasons[3].empty());
}

// Squared distances in a Gram matrix of numbers about 1 are rounded to 1e-16.
TEST(Flag, TakesUpdatesThatAreNearlyEqual) {
  for (const double apart : {1e-1, 1e-2, 1e-3}) {
    std::vector<Column> updates = RandomColumns(7, 7, 12);
    const std::vector<Column> noise = RandomColumns(8, 7, 12, apart);
    for (const std::size_t i : {3, 4, 5}) updates[i] = Difference(updates[0], noise[i]);
    ExpectAsLiteral(updates, absl::StrCat("four are ", apart, " apart"));
  }
}

TEST(Flag, ThePapersResultHasTheScaleOfTheUpdatesTheReferencesHasNone) {
  const std::vector<Column> updates = RandomColumns(9, 7, 12);
  for (const double size : {1e-100, 1e-30, 1e30, 1e100}) {
    std::vector<Column> sized;
    for (const Column& x : updates) sized.push_back(Times(size, x));
    const Column paper = Times(1 / size, ResultOf("flag", {sized}));
    EXPECT_LE(NormOf(Difference(paper, ResultOf("flag", {updates}))), 1e-13) << size;
    const Column reference = ResultOf("flag:variant=reference,lambda=4", {sized});
    EXPECT_LE(NormOf(Difference(reference, ResultOf("flag:variant=reference,lambda=4", {updates}))), 1e-13) << size;
  }
}

TEST(Flag, DefaultsAreHalfTheClientsAndAsManyAsThereAre) {
  const std::vector<Column> updates = RandomColumns(10, 8, 12);
  EXPECT_EQ(Weigh("flag", {updates})->weights,
            Weigh("flag:variant=paper,m=5,lambda=8,iterations=5", {updates})->weights);
  EXPECT_EQ(Weigh("flag:variant=reference", {updates})->weights,
            Weigh("flag:variant=reference,m=5,lambda=0,epsilon=1e-7", {updates})->weights);
}

TEST(Flag, WithAsManyDirectionsAsClientsIsTheMean) {
  const auto output = Weigh("flag:m=7", {RandomColumns(11, 7, 12)});
  EXPECT_THAT(output->weights, Each(DoubleNear(1.0 / 7, 1e-14)));
}

TEST(Flag, OfEqualUpdatesIsThatUpdateOrItsDirection) {
  const Column x = RandomColumns(12, 1, 12)[0];
  const std::vector<Column> updates(5, x);
  EXPECT_LE(NormOf(Difference(ResultOf("flag", {updates}), x)), 1e-14);
  const Column expected = Times(5.0 / 3 / NormOf(x), x);
  EXPECT_LE(NormOf(Difference(ResultOf("flag:variant=reference", {updates}), expected)), 1e-14);
}

TEST(Flag, OneDirectionForTwoOpposedUpdatesGivesAboutNothing) {
  const std::vector<Column> updates = {{1, 0.1}, {-1, 0.1}};
  EXPECT_LE(NormOf(ResultOf("flag:m=1", {updates})), 1e-15);
  EXPECT_LE(NormOf(ResultOf("flag:m=1,variant=reference", {updates})), 1e-15);
}

TEST(Flag, RefusesMoreClientsThanItsIterationsHaveTimeFor) {
  EXPECT_EQ(RefusalOf("flag", limits::kFlagClientsMax), "");
  EXPECT_EQ(RefusalOf("flag:iterations=1", limits::kFlagClientsMax), "");
  EXPECT_EQ(
      RefusalOf("flag", limits::kFlagClientsMax + 1),
      absl::StrCat("rule flag takes at most ", limits::kFlagClientsMax, " clients, got ", limits::kFlagClientsMax + 1));
  EXPECT_EQ(RefusalOf("flag:iterations=40", limits::kFlagClientsMax / 2), "");
  EXPECT_NE(RefusalOf("flag:iterations=40", limits::kFlagClientsMax / 2 + 1), "");
}

TEST(Flag, RefusesMoreDirectionsThanClients) {
  EXPECT_THAT(std::string(Weigh("flag:m=3", {{{1}, {2}}}).status().message()),
              HasSubstr("rule flag with m = 3 needs at least 3 clients (n >= m), got 2"));
  for (const char* rule : {"flag:m=0", "flag:lambda=-1", "flag:epsilon=0", "flag:iterations=0", "flag:variant=other"}) {
    EXPECT_EQ(MakeRule(rule).status().code(), absl::StatusCode::kInvalidArgument) << rule;
  }
}

}  // namespace
}  // namespace cairn
