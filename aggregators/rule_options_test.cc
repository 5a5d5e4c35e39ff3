#include "aggregators/rule_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cairn {
namespace {

using ::testing::HasSubstr;

std::string Refusal(const absl::Status& status) {
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  return std::string(status.message());
}

TEST(RuleOptions, ReadsNameAndValues) {
  auto options = RuleOptions::Parse("fair:lambda=0.5,k=3,by=norm");
  ASSERT_TRUE(options.ok());
  EXPECT_EQ(options->name(), "fair");
  EXPECT_EQ(*options->TakeNumber("lambda", 1, 0, 1), 0.5);
  EXPECT_EQ(*options->TakeInteger("k", 1, 1, 9), 3);
  EXPECT_EQ(*options->TakeChoice("by", {"examples", "norm"}), "norm");
  EXPECT_TRUE(options->Finish().ok());
}

TEST(RuleOptions, FallsBackToDefaults) {
  auto options = RuleOptions::Parse("stack");
  ASSERT_TRUE(options.ok());
  EXPECT_EQ(*options->TakeNumber("lambda", 0.25, 0, 1), 0.25);
  EXPECT_EQ(*options->TakeInteger("k", 7, 1, 9), 7);
  EXPECT_EQ(*options->TakeChoice("by", {"examples", "norm"}), "examples");
}

TEST(RuleOptions, RefusesWhatIsNotOfItsForm) {
  for (const char* text : {"", ":", "a:", ":k=1", "a:k", "a:k=", "a:=1", "a:k=1,", "a:k=1,,l=2"}) {
    EXPECT_THAT(Refusal(RuleOptions::Parse(text).status()), HasSubstr("expected NAME or NAME:key=value")) << text;
  }
  EXPECT_EQ(Refusal(RuleOptions::Parse("a:k=1,k=2").status()), "a: k is given twice");
}

TEST(RuleOptions, RefusesValuesOutOfRangeAndUnknownKeys) {
  auto options = *RuleOptions::Parse("fair:lambda=nan,k=0,by=age,extra=1");
  EXPECT_EQ(Refusal(options.TakeNumber("lambda", 1, 0, 1).status()),
            "fair: lambda: expected a number from 0 to 1, got \"nan\"");
  EXPECT_EQ(Refusal(options.TakeInteger("k", 1, 1, 9).status()), "fair: k: expected an integer from 1 to 9, got \"0\"");
  EXPECT_EQ(Refusal(options.TakeChoice("by", {"examples", "norm"}).status()),
            "fair: by: expected examples or norm, got \"age\"");
  EXPECT_THAT(Refusal(options.Finish()), HasSubstr("has no option \"extra\""));
}

}  // namespace
}  // namespace cairn
