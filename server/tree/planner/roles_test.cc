// Which worker gets which role, which start, which stop, and which must drain first.
#include "server/tree/planner/roles.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "server/tree/planner/script_testing.h"

namespace cairn::planner {
namespace {

// A second node with more bytes has the root, so that the one looked at has leaves and a top.
std::string PlanFor(const std::string& load, const std::string& workers) {
  Script script({"node n1 capacity=9 cores=8 workers=" + workers, "node root capacity=99 cores=8",
                 "client c1 at=n1 load=" + load, "client big at=root load=50"});
  return script.Replan()[0];
}

TEST(RolesTest, ColdNodesStartWhatTheyNeed) {
  EXPECT_EQ(PlanFor("3", ""), "node n1: Q = 3.0 of 9.0, 1 client; 2 leaves (2 to start); top to start");
}

TEST(RolesTest, OneLeafNeedsNoTop) {
  EXPECT_EQ(PlanFor("1", "w1,w2"), "node n1: Q = 1.0 of 9.0, 1 client; 1 leaf (1 warm); idle w2");
}

TEST(RolesTest, WorkersKeepTheirRoles) {
  EXPECT_EQ(PlanFor("3", "a,b:leaf,c:top,d:leaf"),
            "node n1: Q = 3.0 of 9.0, 1 client; 2 leaves (2 warm); top c; idle a");
}

TEST(RolesTest, AWarmLeafBecomesTheTop) {
  EXPECT_EQ(PlanFor("3", "a:leaf,b:leaf,c:leaf"), "node n1: Q = 3.0 of 9.0, 1 client; 2 leaves (2 warm); top c");
}

TEST(RolesTest, ALeafWithKeysDoesNotBecomeTheTop) {
  EXPECT_EQ(PlanFor("3", "a:leaf:1,b:leaf:1,c:leaf:2"),
            "node n1: Q = 3.0 of 9.0, 1 client; 2 leaves (2 warm); top to start; draining c");
}

TEST(RolesTest, AnIdleWorkerThatStillHasKeysHandsThemOnFirst) {
  EXPECT_EQ(PlanFor("1", "a:idle:1,b"), "node n1: Q = 1.0 of 9.0, 1 client; 1 leaf (1 warm); draining a");
}

TEST(RolesTest, LeavesWithKeysStayBeforeThoseWithout) {
  EXPECT_EQ(PlanFor("1", "a:leaf,b:leaf:4"), "node n1: Q = 1.0 of 9.0, 1 client; 1 leaf (1 warm); idle a");
}

TEST(RolesTest, DrainingLeavesAreCalledBackBeforeAnyStarts) {
  EXPECT_EQ(PlanFor("3", "a:leaf,b:draining:4,c:top"), "node n1: Q = 3.0 of 9.0, 1 client; 2 leaves (2 warm); top c");
}

TEST(RolesTest, ScaleDownDrainsAndStopsNobodyBeforeItsQueueIsEmpty) {
  Script script({"node n1 capacity=9 cores=8 workers=a:leaf:2,b:leaf:2,c:leaf:2,t:top", "client c1 load=1 at=n1"});
  EXPECT_EQ(script.Replan()[0], "node n1: Q = 1.0 of 9.0, 1 client; 1 leaf (1 warm); root t; draining b, c");
  EXPECT_EQ(script.Replan()[0], "node n1: Q = 1.0 of 9.0, 1 client; 1 leaf (1 warm); root t; draining b, c");
  script.Say({"node n1 workers=a:leaf:2,b:draining,c:draining:1,t:root"});
  EXPECT_EQ(script.Replan()[0], "node n1: Q = 1.0 of 9.0, 1 client; 1 leaf (1 warm); root t; idle b; draining c");
  script.Say({"node n1 workers=a:leaf:2,b,c:draining,t:root"});
  EXPECT_EQ(script.Replan()[0], "node n1: Q = 1.0 of 9.0, 1 client; 1 leaf (1 warm); root t; idle b; stops c");
}

TEST(RolesTest, ANodeThatLostItsClientsDrains) {
  Script script({"node n1 capacity=9 cores=8 workers=a:leaf:2,b:leaf,t:top:1"});
  EXPECT_EQ(script.Replan()[0], "node n1: no clients; idle b; draining a, t");
}

TEST(RolesTest, TheSpareOneServesWhenTheLoadComesBack) {
  Script script({"node n1 capacity=9 cores=8 workers=a:leaf,b:leaf,r:root", "client c1 load=2 at=n1"});
  EXPECT_EQ(script.Replan()[0], "node n1: Q = 2.0 of 9.0, 1 client; 1 leaf (1 warm); root r; idle b");
  script.Say({"client c1 load=2.1"});
  EXPECT_EQ(script.Replan()[0], "node n1: Q = 2.1 of 9.0, 1 client; 2 leaves (2 warm); root r");
}

TEST(RolesTest, StartedWorkersHaveNewIdsWhenThePlanIsCarriedOut) {
  Script script({"node n1 capacity=9 cores=8 workers=n1-w1:leaf", "client c1 load=3 at=n1"});
  EXPECT_EQ(script.Replan()[0], "node n1: Q = 3.0 of 9.0, 1 client; 2 leaves (1 warm, 1 to start); root to start");
  EXPECT_EQ(script.Replan()[0], "node n1: Q = 3.0 of 9.0, 1 client; 2 leaves (2 warm); root n1-w2");
}

}  // namespace
}  // namespace cairn::planner
