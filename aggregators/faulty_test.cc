#include "aggregators/faulty.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cairn {
namespace {

using ::testing::HasSubstr;

absl::StatusOr<Faulty> Parse(const std::string& text) {
  RuleOptions options = *RuleOptions::Parse(text);
  return Faulty::Take(options);
}

TEST(Faulty, IsACount) {
  EXPECT_EQ(Parse("krum:f=2")->Among(10, 0), 2);
  EXPECT_EQ(Parse("krum:f=0")->Among(10, 0), 0);
}

TEST(Faulty, IsAPartRoundedDown) {
  EXPECT_EQ(Parse("krum:f=0.2")->Among(10, 0), 2);
  EXPECT_EQ(Parse("krum:f=0.2")->Among(9, 0), 1);
  EXPECT_EQ(Parse("krum:f=0.3")->Among(10, 0), 3);  // Though 0.3 is a little less than that.
}

TEST(Faulty, FallsByOneForEachThatIsFoundOut) {
  EXPECT_EQ(Parse("krum:f=2")->Among(10, 1), 1);
  EXPECT_EQ(Parse("krum:f=0.2")->Among(10, 1), 1);
  EXPECT_EQ(Parse("krum:f=2")->Among(10, 3), 0);
}

TEST(Faulty, RefusesWhatIsNeither) {
  for (const char* text : {"krum:f=-1", "krum:f=1.5", "krum:f=0.5", "krum:f=nan", "krum:f=many", "krum:f=1e9"}) {
    EXPECT_THAT(Parse(text).status().message(), HasSubstr("krum: f: expected how many clients may lie")) << text;
  }
}

TEST(Faulty, SaysWhatIsMissing) {
  EXPECT_THAT(Parse("krum").status().message(), HasSubstr("got nothing; for example krum:f=1"));
}

TEST(Faulty, BoundsAreToldWithNumbers) {
  EXPECT_TRUE(CheckBound("rule krum", 7, 2, 7, "n >= 2f + 3").ok());
  EXPECT_EQ(CheckBound("rule krum", 5, 2, 7, "n >= 2f + 3").message(),
            "rule krum with f = 2 needs at least 7 clients (n >= 2f + 3), got 5");
  EXPECT_TRUE(CheckMost("rule caf", 7, 7).ok());
  EXPECT_EQ(CheckMost("rule caf", 8, 7).message(), "rule caf takes at most 7 clients, got 8");
}

}  // namespace
}  // namespace cairn
