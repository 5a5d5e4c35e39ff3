// Plans one after another, each carried out: what moves, and what must not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "server/tree/planner/plan.h"
#include "server/tree/planner/script_testing.h"

namespace cairn::planner {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Not;
using ::testing::StartsWith;

std::vector<std::string> Moves(Script& script) {
  std::vector<std::string> moves;
  for (const std::string& line : script.Replan()) {
    if (line.rfind("client ", 0) == 0) moves.push_back(line);
  }
  return moves;
}

TEST(ReplanTest, ASmallChangeOfLoadMovesNobody) {
  Script script(
      {"node n1 capacity=4 cores=8", "node n2 capacity=4 cores=8", "client a load=2 at=n1", "client b load=2 at=n1"});
  EXPECT_THAT(Moves(script), ElementsAre());
  script.Say({"client a load=2.3"});  // 4.3 of 4 is within the tolerance.
  EXPECT_THAT(Moves(script), ElementsAre());
}

TEST(ReplanTest, AnOverloadedNodeGivesAwayTheSmallestThatIsEnough) {
  Script script({"node n1 capacity=4 cores=8", "node n2 capacity=4 cores=8", "client a load=0.5 at=n1",
                 "client b load=1.5 at=n1", "client c load=3 at=n1"});
  EXPECT_THAT(Moves(script), ElementsAre("client b: n1 -> n2, best fit in its zone"));
}

TEST(ReplanTest, WhereNoOneIsEnoughTheLargestGoFirst) {
  Script script({"node n1 capacity=1 cores=8", "node n2 capacity=9 cores=8", "client a load=1 at=n1",
                 "client b load=2 at=n1", "client c load=2 at=n1"});
  EXPECT_THAT(Moves(script),
              ElementsAre("client b: n1 -> n2, best fit in its zone", "client c: n1 -> n2, best fit in its zone"));
}

TEST(ReplanTest, AHeldUpdateStaysWhereItLanded) {
  Script script({"node n1 capacity=2 cores=8", "node n2 capacity=4 cores=8", "client a load=2 at=n1 held",
                 "client b load=2 at=n1 held", "client c load=1 at=n1"});
  EXPECT_THAT(Moves(script), ElementsAre("client c: n1 -> n2, best fit in its zone"));
  script.Say({"client b held=no"});
  EXPECT_THAT(Moves(script), ElementsAre("client b: n1 -> n2, best fit in its zone"));
}

TEST(ReplanTest, ALostNodeMovesItsClientsOnly) {
  Script script({"node n1 capacity=4 cores=8", "node n2 capacity=4 cores=8", "node n3 capacity=4 cores=8",
                 "client a load=1 at=n1", "client b load=2 at=n1 held", "client c load=1 at=n2",
                 "client d load=2 at=n3 held"});
  EXPECT_THAT(Moves(script), ElementsAre());
  script.Say({"node n1 lost"});
  const auto lines = script.Replan();
  EXPECT_THAT(lines, Contains("client a: n1 -> n2, best fit in its zone"));
  EXPECT_THAT(lines, Contains("client b: n1 -> n3, best fit in its zone"));
  EXPECT_THAT(lines, Contains("node n1: lost"));
  EXPECT_THAT(lines, Not(Contains(StartsWith("client c"))));
  EXPECT_THAT(lines, Not(Contains(StartsWith("client d"))));
  EXPECT_FALSE(script.input().clients[1].held);  // What the lost node held has to be sent again.
  EXPECT_TRUE(script.input().clients[3].held);
}

TEST(ReplanTest, ALossThatLeavesNoRoomIsSpread) {
  Script script({"node n1 capacity=2 cores=8", "node n2 capacity=2 cores=8", "client a load=2 at=n1",
                 "client b load=2 at=n2", "node n1 lost"});
  EXPECT_THAT(Moves(script), ElementsAre("client a: n1 -> n2, fits nowhere, least overload there"));
  EXPECT_FALSE(script.plan().fits);
}

TEST(ReplanTest, AJoiningNodeTakesOnlyWhatIsTooMuch) {
  Script script({"node n1 capacity=4 cores=8", "client a load=1.5", "client b load=1.5", "client c load=3"});
  script.Replan();
  EXPECT_FALSE(script.plan().fits);
  script.Say({"node n2 capacity=4 cores=8"});
  EXPECT_THAT(Moves(script), ElementsAre("client c: n1 -> n2, best fit in its zone"));
  EXPECT_TRUE(script.plan().fits);
  script.Say({"node n3 capacity=4 cores=8"});
  EXPECT_THAT(Moves(script), ElementsAre());
}

TEST(ReplanTest, AJoiningNodeBringsItsZoneHome) {
  Script script({"node us1 zone=us capacity=8 cores=8", "client a zone=eu load=2", "client b zone=eu load=1.9",
                 "client c zone=us load=1"});
  script.Replan();
  script.Say({"node eu1 zone=eu capacity=4 cores=8"});
  // Both would fill the node to 3.9 of 4; a tenth stays free, so that the next change does not send somebody back.
  EXPECT_THAT(Moves(script), ElementsAre("client a: us1 -> eu1, best fit in its zone"));
}

TEST(ReplanTest, OverloadedNodesAreEvenedOutOnlyIfItIsClearlyBetter) {
  Script script({"node n1 capacity=1 cores=8", "node n2 capacity=1 cores=8", "client a load=2 at=n1",
                 "client b load=0.1 at=n1", "client c load=2 at=n2"});
  EXPECT_THAT(Moves(script), ElementsAre());
  script.Say({"client d load=2 at=n1", "client e load=2 at=n1"});
  EXPECT_THAT(Moves(script), ElementsAre("client e: n1 -> n2, fits nowhere, least overload there"));
  EXPECT_THAT(Moves(script), ElementsAre());
}

TEST(ReplanTest, AnOverloadedNodeThatIsHardlyBetterOffTakesNobody) {
  Script script({"node n1 capacity=1 cores=8", "node n2 capacity=1 cores=8", "client a load=2 at=n1",
                 "client b load=0.2 at=n1", "client c load=1.9 at=n2"});
  EXPECT_THAT(Moves(script), ElementsAre());  // 2.1 instead of 2.2.
  script.Say({"client c load=1.7"});
  EXPECT_THAT(Moves(script), ElementsAre("client b: n1 -> n2, fits nowhere, least overload there"));  // 1.9.
}

TEST(ReplanTest, TheRootStaysUnlessAnotherIsClearlyAheadOrItIsLost) {
  Script script({"node n1 capacity=9 cores=8", "node n2 capacity=9 cores=8", "client a load=4 at=n1",
                 "client b load=4.2 at=n2", "root n1"});
  script.Replan();
  EXPECT_EQ(script.plan().root, "n1");
  script.Say({"client b load=5", "root n1 held"}).Replan();
  EXPECT_EQ(script.plan().root, "n1");
  script.Say({"root n1"}).Replan();
  EXPECT_EQ(script.plan().root, "n2");
  script.Say({"root n2 held", "node n2 lost"}).Replan();
  EXPECT_EQ(script.plan().root, "n1");
  EXPECT_FALSE(script.input().root_held);
}

}  // namespace
}  // namespace cairn::planner
