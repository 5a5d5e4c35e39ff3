// One plan at a time: who goes where, and what it says.
#include "server/tree/planner/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "server/tree/planner/script_testing.h"

namespace cairn::planner {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(PlanTest, TheBestFitIsTheLeastRoomThatIsEnough) {
  Script script({"node big capacity=8 cores=8", "node mid capacity=4 cores=8", "node small capacity=2 cores=8",
                 "client a load=1 at=big", "client b load=1 at=mid", "client c load=1 at=small", "client d load=1.5"});
  EXPECT_THAT(script.Replan(), ElementsAre("client d: mid, best fit in its zone",
                                           "node big: Q = 1.0 of 8.0, 1 client; 1 leaf (1 to start)",
                                           "node mid: Q = 2.5 of 4.0, 2 clients; 2 leaves (2 to start); root to start",
                                           "node small: Q = 1.0 of 2.0, 1 client; 1 leaf (1 to start)",
                                           "root: mid, 56 % of 0.0 MB/s arrive there"));
}

TEST(PlanTest, ANodeComesIntoUseWhenNoneInUseHasRoomAndTheLargestFirst) {
  Script script({"node n1 capacity=2 cores=8", "node n2 capacity=8 cores=8", "node n3 capacity=4 cores=8",
                 "client a load=1", "client b load=6"});
  EXPECT_THAT(script.Replan(), Contains("client a: n2, best fit in its zone"));
  EXPECT_EQ(script.plan().clients[1].node, "n2");
  script.Say({"client c load=1.5"});
  EXPECT_THAT(script.Replan(), Contains("client c: n3, best fit in its zone"));
}

TEST(PlanTest, LargeClientsAreFirstAndSmallOnesFillWhatIsLeft) {
  Script script({"node n1 capacity=4 cores=8", "node n2 capacity=4 cores=8", "client a load=1", "client b load=3",
                 "client c load=1", "client d load=3"});
  script.Replan();
  EXPECT_EQ(script.plan().Find("n1")->load, 4);
  EXPECT_EQ(script.plan().Find("n2")->load, 4);
  EXPECT_TRUE(script.plan().fits);
}

TEST(PlanTest, TheOwnZoneComesFirst) {
  Script script({"node eu1 zone=eu capacity=8 cores=8", "node us1 zone=us capacity=2 cores=8",
                 "client c1 zone=eu load=2", "client c2 zone=us load=1"});
  EXPECT_THAT(script.Replan(), Contains("client c1: eu1, best fit in its zone").Times(1));
  EXPECT_EQ(script.plan().clients[1].node, "us1");
}

TEST(PlanTest, NoGuestTakesTheRoomOfSomebodyAtHome) {
  // By size alone, `guest` would be placed first, and has nowhere else to go than to the other's zone.
  Script script({"node eu1 zone=eu capacity=1 cores=8", "node us1 zone=us capacity=3 cores=8",
                 "client guest zone=eu load=2", "client home zone=us load=1.5"});
  script.Replan();
  EXPECT_EQ(script.plan().clients[1].node, "us1");
  EXPECT_FALSE(script.plan().fits);
}

TEST(PlanTest, AFullZoneSendsClientsElsewhere) {
  Script script({"node eu1 zone=eu capacity=2 cores=8", "node us1 zone=us capacity=8 cores=8",
                 "client c1 zone=eu load=2", "client c2 zone=eu load=1"});
  EXPECT_THAT(script.Replan(), Contains("client c2: us1, best fit outside its zone"));
}

TEST(PlanTest, AClientFromNowhereFitsAnywhere) {
  Script script(
      {"node eu1 zone=eu capacity=4 cores=8", "node us1 zone=us capacity=2 cores=8", "client c1 zone=mars load=1"});
  EXPECT_THAT(script.Replan(), Contains("client c1: eu1, best fit outside its zone"));
}

TEST(PlanTest, WhatFitsNowhereIsSpreadByRelativeOverloadAndSaidSo) {
  Script script({"node n1 capacity=4 cores=8", "node n2 capacity=1 cores=8", "client a load=4", "client b load=4",
                 "client c load=2"});
  const auto lines = script.Replan();
  EXPECT_THAT(lines, Contains("client b: n1, fits nowhere, least overload there"));  // 8 / 4 is less than 4 / 1.
  EXPECT_THAT(lines, Contains("client c: n2, fits nowhere, least overload there"));  // 2 / 1 is less than 10 / 4.
  EXPECT_THAT(lines, Contains(HasSubstr("node n1: Q = 8.0 of 4.0 (overloaded), 2 clients")));
  EXPECT_FALSE(script.plan().fits);
}

TEST(PlanTest, OfEquallyOverloadedNodesTheOwnZoneTakes) {
  const std::vector<std::string> nodes = {"node eu1 zone=eu capacity=1 cores=8", "node us1 zone=us capacity=1 cores=8",
                                          "node us2 zone=us capacity=1 cores=8"};
  for (const auto& [zone, node] : {std::pair("eu", "eu1"), std::pair("us", "us1")}) {
    Script script(nodes);
    script.Say({std::string("client c1 load=2 zone=") + zone}).Replan();
    EXPECT_EQ(script.plan().clients[0].node, node);
  }
}

TEST(PlanTest, LeavesAreTheLoadByTwo) {
  Script script({"node n1 capacity=8 cores=8 workers=w1,w2", "client c1 load=5.25"});
  EXPECT_THAT(script.Replan(), Contains("node n1: Q = 5.2 of 8.0, 1 client; 3 leaves (1 warm, 2 to start); root w1"));
}

TEST(PlanTest, AMultipleOfTwoAsksForNoFurtherLeaf) {
  Script script({"node n1 capacity=8 cores=8", "client c1 load=4"});
  script.Replan();
  EXPECT_EQ(script.plan().nodes[0].leaves, 2u);
  script.Say({"client c1 load=4.01"}).Replan();
  EXPECT_EQ(script.plan().nodes[0].leaves, 3u);
}

TEST(PlanTest, ARoundingAsksForNoFurtherLeafEither) {
  Script script({"node n1 capacity=2 cores=8"});
  for (int i = 0; i < 20; ++i) script.Say({"client c" + std::to_string(i) + " load=0.1"});
  script.Replan();
  EXPECT_GT(script.plan().nodes[0].load, 2);  // By the last bit.
  EXPECT_EQ(script.plan().nodes[0].leaves, 1u);
  EXPECT_TRUE(script.plan().fits);
}

TEST(PlanTest, WhatFitsExactlyFits) {
  // 0.3 - 0.1 - 0.1 is less than 0.1, as far as float64 goes.
  Script script({"node n1 capacity=0.3 cores=8", "node n2 capacity=0.2 cores=8", "client c1 load=0.1",
                 "client c2 load=0.1", "client c3 load=0.1"});
  script.Replan();
  EXPECT_EQ(script.plan().Find("n1")->clients, 3u);
}

TEST(PlanTest, AClientThatIsNotExpectedStillNeedsALeaf) {
  Script script({"node n1 capacity=8 cores=8", "client c1 load=0"});
  script.Replan();
  EXPECT_EQ(script.plan().nodes[0].leaves, 1u);
}

TEST(PlanTest, LeavesEndWithTheCores) {
  Script script({"node n1 capacity=16 cores=2 workers=a,b,c", "client c1 load=9"});
  EXPECT_THAT(script.Replan(),
              Contains("node n1: Q = 9.0 of 16.0, 1 client; 2 leaves (2 warm, 5 wanted, no more cores); root a"));
}

TEST(PlanTest, ASlowNodeTakesLess) {
  Script script({"node n1 capacity=8 cores=8 slowdown=4", "node n2 capacity=4 cores=8", "client c1 load=1.5"});
  script.Replan();
  EXPECT_EQ(script.plan().clients[0].node, "n2");
  script.Say({"node n1 slowdown=1.5", "client c1 at="}).Replan();
  EXPECT_EQ(script.plan().clients[0].node, "n1");
  EXPECT_EQ(script.plan().Find("n1")->load, 2.25);
}

TEST(PlanTest, TheRootIsWhereMostBytesArrive) {
  Script script(
      {"node n1 capacity=4 cores=8", "node n2 capacity=8 cores=8", "client a load=3 at=n1", "client b load=4 at=n2"});
  script.Replan();
  EXPECT_EQ(script.plan().root, "n2");
}

TEST(PlanTest, TheRootSaysHowMuchArrivesThere) {
  Script script({"node n1 capacity=3e6 cores=8", "node n2 capacity=3e6 cores=8", "client a load=3e6 at=n1",
                 "client b load=1e6 at=n2"});
  EXPECT_THAT(script.Replan(), Contains("root: n1, 75 % of 4.1 GB/s arrive there"));
}

TEST(PlanTest, NobodyMeansNoLeafAndNoRoot) {
  Script script({"node n1 capacity=4 cores=8 workers=w1,w2:leaf"});
  EXPECT_THAT(script.Replan(), ElementsAre("node n1: no clients; idle w1; stops w2", "root: none, no client"));
}

TEST(PlanTest, RefusesWhatMakesNoSense) {
  const auto error = [](const std::vector<std::string>& lines) { return Script(lines).Replan().front(); };
  const std::string node = "node n1 capacity=4 cores=8";
  EXPECT_THAT(error({"node n1 capacity=0 cores=1"}),
              StartsWith("INVALID_ARGUMENT: planner: node \"n1\": capacity is 0, expected a number > 0"));
  EXPECT_THAT(error({"node n1 capacity=inf cores=1"}), HasSubstr("capacity is inf"));
  EXPECT_THAT(error({"node n1 capacity=1 cores=0"}), HasSubstr("cores is 0, expected a number >= 1"));
  EXPECT_THAT(error({"node n1 capacity=1 slowdown=0.5"}), HasSubstr("slowdown is 0.5"));
  EXPECT_THAT(error({"node n1 capacity=1 workers=w1,w1"}), HasSubstr("worker \"w1\" is there twice"));
  EXPECT_THAT(error({node, "client c1 load=-1"}), HasSubstr("client \"c1\": updates_per_second is -1"));
  EXPECT_THAT(error({node, "client c1 load=nan"}), HasSubstr("updates_per_second is nan"));
  EXPECT_THAT(error({node + " lost", "client c1 load=1"}),
              StartsWith("FAILED_PRECONDITION: planner: 1 clients, and none of 1 nodes is alive"));
}

TEST(PlanTest, RefusesTwinsAndTooMany) {
  Input input = Script({"node n1 capacity=4", "client c1 load=1"}).input();
  input.clients.push_back(input.clients[0]);
  EXPECT_THAT(std::string(MakePlan(input).status().message()), HasSubstr("client \"c1\" is there twice"));
  input.clients.resize(limits::kCohortClientsMax + 1);
  EXPECT_EQ(MakePlan(input).status().code(), absl::StatusCode::kResourceExhausted);
  input.clients.assign(1, Client{});
  EXPECT_THAT(std::string(MakePlan(input).status().message()), HasSubstr("a client without an id"));
  input.clients.clear();
  input.policy.updates_per_leaf = 0;
  EXPECT_THAT(std::string(MakePlan(input).status().message()), HasSubstr("updates_per_leaf is 0"));
}

}  // namespace
}  // namespace cairn::planner
