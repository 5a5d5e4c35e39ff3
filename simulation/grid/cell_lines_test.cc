#include "simulation/grid/cell_lines.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace cairn {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(CellLines, ARequestComesAsItWasSent) {
  const Cell cell{{"my krum", "krum:f=2", {"nnm", "arc:f=1"}, "svd", "rank=4"}, "alie:z=1.5", 0.1, 2, 7};
  const std::string line = ToLine(CellRequest{12, cell});
  EXPECT_EQ(line.find('\n'), std::string::npos);
  const auto read = ParseCellRequest(line);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->id, 12u);
  EXPECT_EQ(KeyOf(read->cell), KeyOf(cell));
  EXPECT_EQ(TitleOf(read->cell), TitleOf(cell));
  EXPECT_THAT(read->cell.rule.guards, ElementsAre("nnm", "arc:f=1"));
  EXPECT_EQ(ToLine(*read), line);
}

TEST(CellLines, ARequestByHandNeedsARuleOnly) {
  const auto read = ParseCellRequest(R"({"rule": "examples"})");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->cell.attack, kNoAttack);
  EXPECT_TRUE(std::isinf(read->cell.concentration));
  EXPECT_EQ(read->cell.rule.combine, "stack");
  EXPECT_THAT(read->cell.rule.guards, IsEmpty());
}

TEST(CellLines, AnAnswerComesAsItWasSent) {
  const double infinity = std::numeric_limits<double>::infinity();
  const auto read = ParseCellAnswer(ToLine(CellAnswer{3, CellResult{2.5, {2.25, infinity}, 1.5}}));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->id, 3u);
  ASSERT_TRUE(read->result.ok());
  EXPECT_EQ(read->result->base, 2.5);
  EXPECT_THAT(read->result->losses, ElementsAre(2.25, infinity));
  EXPECT_EQ(read->result->seconds, 1.5);
  const auto error = ParseCellAnswer(ToLine(CellAnswer{4, absl::NotFoundError("no such rule")}));
  ASSERT_TRUE(error.ok()) << error.status();
  EXPECT_EQ(error->result.status().message(), "no such rule");
}

TEST(CellLines, OtherTextIsNamed) {
  EXPECT_THAT(ParseCellRequest("hello").status().message(), HasSubstr("got hello"));
  EXPECT_FALSE(ParseCellRequest(R"({"attack": "alie"})").ok());
  EXPECT_FALSE(ParseCellRequest(R"({"rule": "examples", "concentration": "-1"})").ok());
  EXPECT_FALSE(ParseCellRequest(R"({"rule": "examples", "faulty": "two"})").ok());
  EXPECT_FALSE(ParseCellAnswer(R"({"id": 1})").ok());
}

}  // namespace
}  // namespace cairn
