#include "simulation/grid/cell_pool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "absl/strings/str_cat.h"
#include "base/test_directory.h"

namespace cairn {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

using Kind = CellOutcome::Kind;

// Answers line after line, by the seed of the cell: 13 and 113 are fatal, 14 fails, 15 hangs, 16
// answers for another.
constexpr char kWorker[] = R"(
while read line; do
  id=${line#*\"id\":}; id=${id%%,*}
  case $line in
    *'"seed":13'* | *'"seed":113'*) echo died on it >&2; exit 3 ;;
    *'"seed":14'*) echo "{\"id\":$id,\"error\":\"not today\"}" ;;
    *'"seed":15'*) exec sleep 60 ;;
    *'"seed":16'*) echo '{"id":77,"base":3,"losses":[2],"seconds":0.1}' ;;
    *) echo "{\"id\":$id,\"base\":3,\"losses\":[2],\"seconds\":0.1}" ;;
  esac
done)";

class CellPoolTest : public ::testing::Test {
 protected:
  absl::Status Run(const std::string& script, const std::vector<std::uint64_t>& seeds, std::size_t workers) {
    std::vector<Cell> cells;
    for (const std::uint64_t seed : seeds) cells.push_back({.seed = seed});
    CellPool pool({{"/bin/sh", "-c", script}, logs_.path(), workers, patience_});
    return pool.Run(
        cells,
        [this](const Cell& cell, const CellOutcome& outcome) {
          outcomes_[cell.seed] = outcome;
          return absl::OkStatus();
        },
        [this](const std::vector<const Cell*>& running) { most_ = std::max(most_, running.size()); });
  }
  TestDirectory logs_;
  absl::Duration patience_ = absl::Minutes(1);
  std::map<std::uint64_t, CellOutcome> outcomes_;  // By seed.
  std::size_t most_ = 0;                           // At once.
};

TEST_F(CellPoolTest, EveryCellIsRunOnce) {
  ASSERT_TRUE(Run(kWorker, {1, 2, 3, 4, 5}, 2).ok());
  EXPECT_EQ(outcomes_.size(), 5u);
  EXPECT_EQ(outcomes_[4].kind, Kind::kDone);
  EXPECT_THAT(outcomes_[4].result.losses, ElementsAre(2.0));
  EXPECT_EQ(most_, 2u);
}

TEST_F(CellPoolTest, AFailedCellDoesNotEndTheOthers) {
  ASSERT_TRUE(Run(kWorker, {1, 14, 2}, 1).ok());
  EXPECT_EQ(outcomes_[14].kind, Kind::kFailed);
  EXPECT_EQ(outcomes_[14].reason, "not today");
  EXPECT_EQ(outcomes_[2].kind, Kind::kDone);
}

TEST_F(CellPoolTest, AWorkerThatDiesIsReplaced) {
  ASSERT_TRUE(Run(kWorker, {1, 13, 2, 3}, 1).ok());
  EXPECT_EQ(outcomes_[13].kind, Kind::kFailed);
  EXPECT_THAT(outcomes_[13].reason, HasSubstr("exit code 3"));
  EXPECT_THAT(outcomes_[13].reason, HasSubstr("died on it"));
  EXPECT_EQ(outcomes_[2].kind, Kind::kDone);
  EXPECT_EQ(outcomes_[3].kind, Kind::kDone);
}

// So that cells which kill their workers do not keep the others from being run.
TEST_F(CellPoolTest, WorkersMayDieOneAfterAnother) {
  ASSERT_TRUE(Run(kWorker, {13, 1, 13, 113, 13, 113, 2}, 1).ok());
  EXPECT_EQ(outcomes_[113].kind, Kind::kFailed);
  EXPECT_EQ(outcomes_[1].kind, Kind::kDone);
  EXPECT_EQ(outcomes_[2].kind, Kind::kDone);
}

TEST_F(CellPoolTest, ACellThatHangsFailsAndItsWorkerIsReplaced) {
  patience_ = absl::Milliseconds(300);
  ASSERT_TRUE(Run(kWorker, {1, 15, 2}, 1).ok());
  EXPECT_EQ(outcomes_[15].kind, Kind::kFailed);
  EXPECT_THAT(outcomes_[15].reason, HasSubstr("no answer after"));
  EXPECT_EQ(outcomes_[2].kind, Kind::kDone);
}

TEST_F(CellPoolTest, AnAnswerToAnotherCellEndsTheRun) {
  const absl::Status status = Run(kWorker, {1, 16, 2}, 1);
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_THAT(status.message(), HasSubstr("got {\"id\":77"));
}

TEST_F(CellPoolTest, WorkersThatCannotStartEndTheRun) {
  const absl::Status status = Run("echo no base model >&2; exit 1", {1, 2, 3}, 2);
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_THAT(status.message(), HasSubstr("no base model"));
}

TEST_F(CellPoolTest, AnswersThatAreNoneEndTheRun) {
  EXPECT_THAT(Run("read line; echo hello; read line", {1}, 1).message(), HasSubstr("got hello"));
}

}  // namespace
}  // namespace cairn
