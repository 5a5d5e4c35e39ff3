// A process is lost in the middle of rounds: the others learn it, and form a smaller group that gives the same bytes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "server/tree/collective.h"
#include "tests/shards/fixture.h"

namespace cairn::testing {
namespace {

using ::testing::HasSubstr;

constexpr int kLostRank = 1;

class ShardLoss : public ShardsFixture {
 protected:
  // The others' end once `lose` was done to the process that halted, and the rounds again without it.
  template <typename Lose>
  void LoseOne(const Group& group, int halt_at, Lose lose) {
    std::filesystem::remove(folder_ / "halted");
    std::vector<Child> children = Start(group, kLostRank, halt_at);
    ASSERT_EQ(children.size(), 3u);
    AwaitHalt();
    lose(children[kLostRank]);
    for (const int rank : {0, 2}) {
      EXPECT_EQ(ExitCode(children[rank]), kLost) << Log(group.attempt, rank);
      EXPECT_THAT(Log(group.attempt, rank), HasSubstr(absl::StrCat("group ", group.attempt, ", member ", rank,
                                                                   " of 3: "
                                                                   "a member was lost")));
    }
    children[kLostRank].Kill();
    Group again = group;
    again.attempt += "-again";
    again.plan = PlaceWithout(group.plan, absl::StrCat("node-", kLostRank));
    again.timeout = absl::Seconds(30);
    std::vector<Child> survivors = Start(again);
    ASSERT_EQ(survivors.size(), 2u);
    for (const int rank : {0, 1}) EXPECT_EQ(ExitCode(survivors[rank]), 0) << Log(again.attempt, rank);
    ExpectWhole(again);
  }
};

// At the first reduction; within the Gram matrix; in the third round, of both kinds.
TEST_F(ShardLoss, AKilledProcessIsNoticedAtOnce) {
  for (const int halt_at : {1, 4, 20}) {
    // Who waited for the timeout would be too late for the test.
    const Group group{.attempt = absl::StrCat("at-", halt_at),
                      .rendezvous = rendezvous(),
                      .plan = Place(3),
                      .timeout = 2 * kPatience};
    LoseOne(group, halt_at, [](Child& child) { child.Kill(); });
  }
}

TEST_F(ShardLoss, TheRendezvousSurvivesIt) {
  const auto place = Rendezvous::Serve("127.0.0.1", 0);
  ASSERT_TRUE(place.ok()) << place.status();
  const Group group{.attempt = "first", .rendezvous = (*place)->name(), .plan = Place(3)};
  LoseOne(group, 4, [](Child& child) { child.Kill(); });
}

TEST_F(ShardLoss, AProcessThatNeverJoinsIsATimeout) {
  const Group group{
      .attempt = "first", .rendezvous = rendezvous(), .plan = Place(3), .timeout = absl::Milliseconds(1500)};
  LoseOne(group, 0, [](Child& child) { child.Kill(); });
}

TEST_F(ShardLoss, AStoppedProcessIsATimeout) {
  const Group group{.attempt = "first", .rendezvous = rendezvous(), .plan = Place(3), .timeout = absl::Seconds(5)};
  LoseOne(group, 4, [](Child& child) { child.Send(SIGSTOP); });
}

}  // namespace
}  // namespace cairn::testing
