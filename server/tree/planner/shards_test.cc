#include "server/tree/planner/shards.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace cairn::planner {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> Lines(const ShardPlan& plan) {
  std::vector<std::string> lines;
  for (const ShardPlacement& module : plan.modules) lines.push_back(absl::StrCat(module.module, " ", module.node));
  return lines;
}

// What was planned, as the next input.
void Apply(const ShardPlan& plan, ShardInput& input) {
  for (const ShardPlacement& placement : plan.modules) {
    for (Module& module : input.modules) {
      if (module.name == placement.module) module.node = placement.node;
    }
  }
}

TEST(ShardsTest, TheLongestGoFirst) {
  const ShardInput input{{{"a", 2}, {"b", 3}, {"c", 4}, {"d", 5}}, {{"n1"}, {"n2"}}};
  EXPECT_THAT(Lines(*PlanShards(input)), ElementsAre("a n1", "b n2", "c n2", "d n1"));
}

TEST(ShardsTest, ATwiceAsFastNodeGetsTwiceTheBytes) {
  ShardInput input{{}, {{"fast", 2}, {"slow", 1}}};
  for (int i = 0; i < 30; ++i) input.modules.push_back({absl::StrCat("m", i), 1'000'000});
  const ShardPlan plan = *PlanShards(input);
  EXPECT_EQ(plan.nodes[0].bytes, 20'000'000u);
  EXPECT_EQ(Explain(plan.nodes[1]), "node slow: 10 modules, 10.0 MB");
}

TEST(ShardsTest, ALossMovesOnlyItsModules) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 100; ++round) {
    ShardInput input{{}, {{"n1"}, {"n2"}, {"n3"}, {"n4"}}};
    for (int i = 0; i < 40; ++i) input.modules.push_back({absl::StrCat("m", i), 1 + random() % 1000});
    Apply(*PlanShards(input), input);
    input.nodes[random() % 4].alive = false;
    const ShardPlan plan = *PlanShards(input);
    for (const ShardPlacement& module : plan.modules) {
      const auto from =
          std::find_if(input.nodes.begin(), input.nodes.end(), [&](const ShardNode& n) { return n.id == module.from; });
      EXPECT_EQ(module.node == module.from, from->alive) << module.module;
    }
  }
}

TEST(ShardsTest, AJoiningNodeGetsModulesBetweenRoundsOnly) {
  ShardInput input{{}, {{"n1"}, {"n2"}}};
  for (int i = 0; i < 12; ++i) input.modules.push_back({absl::StrCat("m", i), 100});
  Apply(*PlanShards(input), input);
  input.nodes.push_back({"n3"});
  EXPECT_EQ(PlanShards(input)->nodes[2].modules, 0u);
  input.rebalance = true;
  const ShardPlan plan = *PlanShards(input);
  EXPECT_EQ(plan.nodes[0].modules, 4u);
  EXPECT_EQ(plan.nodes[2].modules, 4u);
  Apply(plan, input);
  const ShardPlan again = *PlanShards(input);
  for (const ShardPlacement& module : again.modules) EXPECT_EQ(module.node, module.from);
}

TEST(ShardsTest, RebalancingLeavesSmallDifferencesAlone) {
  ShardInput input{{{"a", 100, "n1"}, {"b", 5, "n1"}, {"c", 5, "n1"}, {"d", 100, "n2"}}, {{"n1"}, {"n2"}}, true};
  EXPECT_THAT(Lines(*PlanShards(input)), ElementsAre("a n1", "b n1", "c n1", "d n2"));  // 110 and 100.
  input.modules[1].bytes = 40;
  EXPECT_THAT(Lines(*PlanShards(input)), ElementsAre("a n1", "b n1", "c n2", "d n2"));  // b would be no better off.
}

TEST(ShardsTest, TheOrderOfTheInputChangesNothing) {
  std::mt19937_64 random(3);
  ShardInput input{{}, {{"n1", 1}, {"n2", 1}, {"n3", 1.5}}};
  for (int i = 0; i < 50; ++i) input.modules.push_back({absl::StrCat("m", i), 1 + random() % 5});
  const auto lines = Lines(*PlanShards(input));
  for (int i = 0; i < 20; ++i) {
    std::shuffle(input.modules.begin(), input.modules.end(), random);
    std::shuffle(input.nodes.begin(), input.nodes.end(), random);
    EXPECT_EQ(Lines(*PlanShards(input)), lines);
  }
}

// The least possible bytes of the busiest of three nodes.
std::uint64_t LeastMost(const std::vector<Module>& modules, std::size_t next, std::vector<std::uint64_t>& loads) {
  if (next == modules.size()) return *std::max_element(loads.begin(), loads.end());
  std::uint64_t best = ~0ULL;
  for (std::uint64_t& load : loads) {
    load += modules[next].bytes;
    best = std::min(best, LeastMost(modules, next + 1, loads));
    load -= modules[next].bytes;
  }
  return best;
}

// Graham 1969: longest processing time first is within 4/3 - 1/(3 m) of the optimum on m equal machines.
TEST(ShardsTest, TheBusiestNodeIsNearTheOptimum) {
  std::mt19937_64 random(11);
  for (int round = 0; round < 100; ++round) {
    ShardInput input{{}, {{"n1"}, {"n2"}, {"n3"}}};
    for (int i = 0; i < 8; ++i) input.modules.push_back({absl::StrCat("m", i), 1 + random() % 100});
    std::uint64_t most = 0;
    const ShardPlan plan = *PlanShards(input);
    for (const ShardLoad& node : plan.nodes) most = std::max(most, node.bytes);
    std::vector<std::uint64_t> loads(3);
    const std::uint64_t optimum = LeastMost(input.modules, 0, loads);
    EXPECT_GE(most, optimum);
    EXPECT_LE(9 * most, 11 * optimum);
  }
}

TEST(ShardsTest, RefusesWhatMakesNoSense) {
  const auto error = [](const ShardInput& input) { return PlanShards(input).status().ToString(); };
  EXPECT_THAT(error({{{"m", 1}}, {{"n1", 0}}}), HasSubstr("node \"n1\": speed is 0, expected a number > 0"));
  EXPECT_THAT(error({{{"m", 1}}, {{"n1", 1, false}}}), HasSubstr("FAILED_PRECONDITION: planner: 1 modules, and none"));
  EXPECT_THAT(error({{{"m", 1}, {"m", 2}}, {{"n1"}}}), HasSubstr("module \"m\" is there twice"));
  EXPECT_THAT(error({{{"m", 1}}, {{"n1"}, {"n1"}}}), HasSubstr("node \"n1\" is there twice"));
  EXPECT_THAT(error({{}, {{"n1"}}, false, -1}), HasSubstr("tolerance is -1"));
}

}  // namespace
}  // namespace cairn::planner
