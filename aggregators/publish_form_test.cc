#include "aggregators/publish_form.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cairn {
namespace {

using ::testing::HasSubstr;

TEST(PublishForm, ReadsAndWritesEveryForm) {
  for (const char* text : {"stack", "merged", "rank=16", "energy=0.99", "ranks=my/ranks.txt", "widest"}) {
    const auto form = ParsePublishForm(text);
    ASSERT_TRUE(form.ok()) << form.status();
    EXPECT_EQ(ToString(*form), text);
  }
  EXPECT_EQ(ParsePublishForm("rank=16")->rank, 16);
  EXPECT_EQ(ParsePublishForm("energy=1")->energy, 1);
}

TEST(PublishForm, RefusesOthersWithWhatIsExpected) {
  for (const char* text : {"", "Stack", "rank=", "rank=0", "rank=65537", "rank=1.5", "energy=0", "energy=1.01",
                           "energy=nan", "ranks=", "dense"}) {
    const absl::Status status = ParsePublishForm(text).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(std::string(status.message()), HasSubstr("publish: expected")) << text;
  }
}

TEST(Ranks, OneRecipientALine) {
  const auto ranks = ParseRanks("# client rank alpha\nphone 4\n\n  site-1\t16  32   # big\r\n");
  ASSERT_TRUE(ranks.ok()) << ranks.status();
  ASSERT_EQ(ranks->size(), 2u);
  EXPECT_EQ(ranks->at("phone").rank, 4);
  EXPECT_EQ(ranks->at("phone").alpha, 0);
  EXPECT_EQ(ranks->at("site-1").rank, 16);
  EXPECT_EQ(ranks->at("site-1").alpha, 32);
}

TEST(Ranks, RefusesOtherLinesByNumber) {
  for (const auto& [text, message] :
       {std::pair("a 4\nb", "line 2: expected `client rank [alpha]`"),
        std::pair("a 0", "line 1: expected `client rank [alpha]`"),
        std::pair("a 4 -1", "line 1: expected an alpha above 0, got \"-1\""), std::pair("../a 4", "line 1: client id"),
        std::pair("a 4\na 4", "line 2: client a is there twice"), std::pair("# nothing\n", "got none")}) {
    const absl::Status status = ParseRanks(text).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(std::string(status.message()), HasSubstr(message)) << text;
  }
}

}  // namespace
}  // namespace cairn
