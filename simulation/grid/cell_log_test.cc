#include "simulation/grid/cell_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "base/test_directory.h"
#include "simulation/grid/cell_rows.h"

namespace cairn {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kSettings[] = "rounds: 5\ntraining: 8 steps\n";
constexpr double kInfinity = std::numeric_limits<double>::infinity();

Cell CellOf(std::uint64_t seed) {
  return {{"a, \"quoted\" name", "krum:f=2", {"nnm"}, "stack", ""}, "alie:z=1.5", 0.1, 2, seed};
}
CellOutcome Done(std::vector<double> losses) { return {CellOutcome::Kind::kDone, {3.5, std::move(losses), 1.25}, ""}; }

class CellLogTest : public ::testing::Test {
 protected:
  absl::StatusOr<CellLog> Open(const std::string& settings = kSettings) { return CellLog::Open(out_.path(), settings); }
  std::string Text() { return *ReadFile(out_ / "cells.csv", 1 << 20); }
  void Add(const std::string& text) { std::ofstream(out_ / "cells.csv", std::ios::app) << text; }
  TestDirectory out_;
};

TEST(CellRows, ARowIsReadAsItWasWritten) {
  const Cell cell = CellOf(1);
  const auto row = ParseCellRow(FormatCellRow(cell, Done({3.25, 3.0, kInfinity})));
  ASSERT_TRUE(row.ok()) << row.status();
  EXPECT_EQ(row->key, KeyOf(cell));
  EXPECT_EQ(row->outcome.kind, CellOutcome::Kind::kDone);
  EXPECT_EQ(row->outcome.result.base, 3.5);
  EXPECT_THAT(row->outcome.result.losses, ElementsAre(3.25, 3.0, kInfinity));
  EXPECT_EQ(row->outcome.result.seconds, 1.25);
}

TEST(CellRows, AReasonIsOneLine) {
  const std::string line = FormatCellRow(CellOf(1), {CellOutcome::Kind::kFailed, {}, "exit code 1,\nsaid \"no\""});
  EXPECT_EQ(line.find('\n'), std::string::npos);
  const auto row = ParseCellRow(line);
  ASSERT_TRUE(row.ok()) << row.status();
  EXPECT_EQ(row->outcome.kind, CellOutcome::Kind::kFailed);
  EXPECT_EQ(row->outcome.reason, "exit code 1, / said \"no\"");
}

TEST(CellRows, WrongRowsNameTheColumn) {
  EXPECT_THAT(ParseCellRow("a,b").status().message(), HasSubstr("expected 12 columns, got 2"));
  EXPECT_THAT(ParseCellRow("a,\"b").status().message(), HasSubstr("expected 12 columns"));
  EXPECT_THAT(ParseCellRow("r,a,1,0,1,fine,,,,,d,").status().message(), HasSubstr("column outcome"));
  EXPECT_THAT(ParseCellRow("r,a,1,0,1,done,1,x,1,1,d,").status().message(), HasSubstr("column base_loss"));
  EXPECT_THAT(ParseCellRow("r,a,1,0,1,done,1,1,1 x,1,d,").status().message(), HasSubstr("column losses"));
}

TEST_F(CellLogTest, KeepsWhatIsDoneForTheNextRun) {
  {
    auto log = Open();
    ASSERT_TRUE(log.ok()) << log.status();
    EXPECT_THAT(log->outcomes(), IsEmpty());
    ASSERT_TRUE(log->Append(CellOf(1), Done({3.0})).ok());
    ASSERT_TRUE(log->Append(CellOf(2), {CellOutcome::Kind::kRefused, {}, "too few"}).ok());
    ASSERT_TRUE(log->Append(CellOf(3), {CellOutcome::Kind::kFailed, {}, "killed"}).ok());
  }
  auto log = Open();
  ASSERT_TRUE(log.ok()) << log.status();
  ASSERT_EQ(log->outcomes().size(), 1u) << "failed cells are tried again, bounds are asked again";
  EXPECT_EQ(log->outcomes().at(KeyOf(CellOf(1))).result.final_loss(), 3.0);
  EXPECT_THAT(log->failed(), ElementsAre(KeyOf(CellOf(3))));
}

TEST_F(CellLogTest, ACellThatFailedMayBeDoneLater) {
  {
    auto log = Open();
    ASSERT_TRUE(log->Append(CellOf(3), {CellOutcome::Kind::kFailed, {}, "killed"}).ok());
    ASSERT_TRUE(log->Append(CellOf(3), Done({2.0})).ok());
  }
  auto log = Open();
  EXPECT_EQ(log->outcomes().size(), 1u);
  EXPECT_THAT(log->failed(), IsEmpty());
}

TEST_F(CellLogTest, ARowThatWasCutShortIsDropped) {
  { ASSERT_TRUE(Open()->Append(CellOf(1), Done({3.0})).ok()); }
  const std::string before = Text();
  Add("mean,alie,0.1,2");
  {
    auto log = Open();
    ASSERT_TRUE(log.ok()) << log.status();
    EXPECT_EQ(log->outcomes().size(), 1u);
    EXPECT_EQ(Text(), before);
    ASSERT_TRUE(log->Append(CellOf(2), Done({2.0})).ok());
  }
  EXPECT_EQ(Open()->outcomes().size(), 2u);
}

TEST_F(CellLogTest, OtherSettingsAreRefusedWithWhatToDo) {
  ASSERT_TRUE(Open().ok());
  const absl::Status status = Open("rounds: 5\ntraining: 9 steps\n").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(status.message(),
              HasSubstr("there \"training: 8 steps\", here \"training: 9 steps\"; choose another --out"));
  EXPECT_TRUE(Open().ok()) << "nothing was changed";
}

TEST_F(CellLogTest, OneRunAtATime) {
  const auto log = Open();
  ASSERT_TRUE(log.ok()) << log.status();
  EXPECT_EQ(Open().status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(CellLogTest, AnotherFileOfThatNameIsNotTouched) {
  Add("name,age\nx,3\n");
  EXPECT_THAT(Open().status().message(), HasSubstr("cells.csv:1: not the header of cells"));
  EXPECT_EQ(Text(), "name,age\nx,3\n");
}

}  // namespace
}  // namespace cairn
