#include "server/tree/planner/load.h"

#include <gtest/gtest.h>

#include "server/tree/planner/script_testing.h"

namespace cairn::planner {
namespace {

// After one plan: c1 (2 updates/s) and c2 (1 update/s) on n1, nobody on n2; E is 1 s.
Script Planned() {
  Script script({"node n1 capacity=4 cores=8", "node n2 capacity=3 cores=8", "client c1 load=2", "client c2 load=1"});
  script.Replan();
  return script;
}

TEST(LoadTest, NewEstimatesKeepSevenTenthsOfTheOld) {
  EXPECT_DOUBLE_EQ(Smoothed(10, 20), 13);
  EXPECT_DOUBLE_EQ(Smoothed(10, 10), 10);
}

TEST(LoadTest, ClientsThatSendMoreOftenAreExpectedTo) {
  const Script script = Planned();
  const Input next = Learned(script.input(), script.plan(), {{"n1", 6, 1}});
  EXPECT_DOUBLE_EQ(next.clients[0].updates_per_second, 2.6);  // Twice as often as expected, smoothed: 0.7 + 0.3 * 2.
  EXPECT_DOUBLE_EQ(next.clients[1].updates_per_second, 1.3);
  EXPECT_DOUBLE_EQ(next.nodes[0].slowdown, 1);
}

TEST(LoadTest, SlowFoldsAreTheNodesOwn) {
  const Script script = Planned();
  const Input next = Learned(script.input(), script.plan(), {{"n1", 3, 3}});
  EXPECT_DOUBLE_EQ(next.clients[0].updates_per_second, 2);
  EXPECT_DOUBLE_EQ(next.nodes[0].slowdown, 1.6);
  EXPECT_DOUBLE_EQ(next.nodes[1].slowdown, 1);
}

TEST(LoadTest, FasterThanOfflineIsNotBelieved) {
  const Script script = Planned();
  EXPECT_DOUBLE_EQ(Learned(script.input(), script.plan(), {{"n1", 3, 0.5}}).nodes[0].slowdown, 1);
}

TEST(LoadTest, ASlowdownHealsAndRatesSettle) {
  Script script({"node n1 capacity=4 cores=8 slowdown=2", "client c1 load=1"});
  Input input = script.input();
  for (int window = 0; window < 20; ++window) {
    const Plan plan = *MakePlan(input);
    input = Learned(input, plan, {{"n1", 3, 1}});
  }
  EXPECT_NEAR(input.clients[0].updates_per_second, 3, 0.01);
  EXPECT_NEAR(input.nodes[0].slowdown, 1, 0.01);
}

TEST(LoadTest, OneWindowCountsWithinBounds) {
  const Script script = Planned();
  EXPECT_DOUBLE_EQ(Learned(script.input(), script.plan(), {{"n1", 3000, 1}}).clients[1].updates_per_second, 1.9);
  EXPECT_DOUBLE_EQ(Learned(script.input(), script.plan(), {{"n1", 0, 0}}).clients[1].updates_per_second, 0.775);
}

TEST(LoadTest, NodesWithoutClientsAndUnknownOnesTeachNothing) {
  const Script script = Planned();
  const Input next = Learned(script.input(), script.plan(), {{"n2", 5, 9}, {"n9", 5, 9}});
  EXPECT_DOUBLE_EQ(next.nodes[1].slowdown, 1);
  EXPECT_DOUBLE_EQ(next.clients[0].updates_per_second, 2);
}

}  // namespace
}  // namespace cairn::planner
