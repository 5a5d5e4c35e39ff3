#include "server/tree/progress_watch.h"

#include <gtest/gtest.h>

#include <vector>

namespace cairn::tree {
namespace {

struct Sign {
  int at_s;
  std::uint64_t progress;
  bool awaits_others = false;
};

// When a watch that allows ten seconds gives up a worker with these signs; -1: not at all.
int GivenUpAt(const std::vector<Sign>& signs) {
  ProgressWatch watch(absl::Seconds(10), absl::UnixEpoch());
  for (const Sign& sign : signs) {
    v1::WorkerAlive alive;
    alive.set_progress(sign.progress);
    alive.set_awaits_others(sign.awaits_others);
    const absl::Status heard = watch.Hear(alive, absl::UnixEpoch() + absl::Seconds(sign.at_s));
    if (heard.ok()) continue;
    EXPECT_TRUE(absl::IsDeadlineExceeded(heard)) << heard;
    return sign.at_s;
  }
  return -1;
}

TEST(ProgressWatchTest, TellsOneThatHangsFromOneThatTakesLong) {
  EXPECT_EQ(GivenUpAt({}), -1);
  EXPECT_EQ(GivenUpAt({{5, 0}, {10, 0}, {11, 0}}), 11) << "since the task began";
  EXPECT_EQ(GivenUpAt({{5, 1}, {15, 1}, {16, 1}}), 16) << "since it got on";
  EXPECT_EQ(GivenUpAt({{9, 1}, {18, 2}, {27, 3}, {36, 4}}), -1);
  EXPECT_EQ(GivenUpAt({{1000, 7}, {1010, 7}}), -1) << "whoever was not heard for long is somebody else's to judge";
}

TEST(ProgressWatchTest, WhoWaitsForOthersDoesNotHang) {
  EXPECT_EQ(GivenUpAt({{5, 1}, {60, 1, true}, {120, 1, true}, {130, 1}}), -1);
  EXPECT_EQ(GivenUpAt({{5, 1}, {60, 1, true}, {70, 1}, {71, 1}}), 71) << "afterwards it is its turn again";
}

}  // namespace
}  // namespace cairn::tree
