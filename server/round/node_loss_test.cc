// Rounds whose contributions lie at nodes that go away.
#include "server/round/node_loss.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace cairn::round {
namespace {

using ::testing::ElementsAre;

const absl::Time kStart = absl::FromUnixSeconds(1000);

std::string Name(const Effect& effect) {
  if (std::get_if<RoundHeld>(&effect)) return "hold";
  if (std::get_if<RoundReopened>(&effect)) return "reopen";
  if (std::get_if<RoundOpened>(&effect)) return "open";
  if (auto* lost = std::get_if<NodeGivenUp>(&effect)) {
    std::string name = "give up " + lost->node;
    for (const std::string& id : lost->clients) name += " " + id;
    return name;
  }
  std::string name = "close";
  for (const std::string& id : std::get<RoundClosed>(effect).contributors) name += " " + id;
  return name;
}

// Three clients, of which two are enough; node n2 has what b and c send.
class NodeLossTest : public ::testing::Test {
 protected:
  void Open(NodeLoss on_node_loss) {
    state_.policy.clients_min = 1;
    state_.policy.clients_target = 3;
    state_.policy.on_node_loss = on_node_loss;
    state_.policy.node_timeout = absl::Seconds(60);
    for (const char* id : {"a", "b", "c"}) Do(Joined{id});
  }
  void ContributeAll() {
    Do(Contributed{"a", ""});
    Do(Contributed{"b", "n2"});
    last_ = Do(Contributed{"c", "n2"});
  }
  std::vector<std::string> Do(const Event& event, absl::Duration at = absl::ZeroDuration()) {
    now_ = std::max(now_, kStart + at);
    Transition next = Step(state_, event, now_);
    state_ = std::move(next.state);
    std::vector<std::string> names;
    for (const Effect& effect : next.effects) names.push_back(Name(effect));
    return names;
  }
  std::string waiting() const { return WaitingFor(state_, now_); }

  State state_;
  absl::Time now_ = kStart;
  std::vector<std::string> last_;
};

TEST_F(NodeLossTest, ClosesWhileTheNodeIsThere) {
  Open(NodeLoss::kWait);
  ContributeAll();
  EXPECT_THAT(last_, ElementsAre("close a b c"));
}

TEST_F(NodeLossTest, WaitsForTheNodeHoweverLong) {
  Open(NodeLoss::kWait);
  Do(Contributed{"b", "n2"});
  Do(Contributed{"c", "n2"});
  EXPECT_THAT(Do(NodeLost{"n2"}), ElementsAre());
  EXPECT_THAT(Do(Contributed{"a", ""}), ElementsAre("hold"));
  EXPECT_EQ(waiting(), "waiting for node n2 with 2 updates");
  EXPECT_EQ(NextAlarm(state_), absl::InfiniteFuture());
  EXPECT_THAT(Do(Tick{}, absl::Hours(5)), ElementsAre());
  EXPECT_THAT(Do(NodeBack{"n3"}), ElementsAre());
  EXPECT_THAT(Do(NodeBack{"n2"}), ElementsAre("close a b c"));
}

TEST_F(NodeLossTest, ANodeWithoutContributionsIsNotWaitedFor) {
  Open(NodeLoss::kWait);
  Do(Contributed{"a", ""});
  Do(NodeLost{"n2"});
  EXPECT_TRUE(state_.away.empty());
}

TEST_F(NodeLossTest, WhatTheRootHasFetchedIsNotGivenUpWithItsNode) {
  Open(NodeLoss::kGoOn);
  Do(Contributed{"a", "n1"});
  Do(Contributed{"b", "n2"});
  ASSERT_THAT(Do(Contributed{"c", "n2"}), ElementsAre("close a b c"));
  Do(NodeLost{"n1"});
  Do(NodeLost{"n2"});
  EXPECT_THAT(Do(Fetched{{"b", "c", "nobody"}}), ElementsAre());
  EXPECT_THAT(Do(AggregationFailed{"node n1 is away"}), ElementsAre("hold"));
  EXPECT_EQ(waiting(), "waiting for node n1 with 1 update; goes on without it in 1m");
  EXPECT_THAT(Do(Tick{}, absl::Seconds(60)), ElementsAre("give up n1 a", "close b c"));
}

TEST_F(NodeLossTest, AHeldRoundGoesOnOnceTheRootHasAllOfIt) {
  Open(NodeLoss::kWait);
  ContributeAll();
  Do(NodeLost{"n2"});
  ASSERT_THAT(Do(AggregationFailed{"node n2 is away"}), ElementsAre("hold"));
  EXPECT_THAT(Do(Fetched{{"b"}}), ElementsAre());
  EXPECT_THAT(Do(Fetched{{"c"}}), ElementsAre("close a b c"));
}

TEST_F(NodeLossTest, AsksAgainOnceTheNodeIsGivenUp) {
  Open(NodeLoss::kAskAgain);
  Do(Contributed{"b", "n2"});
  Do(NodeLost{"n2"});
  EXPECT_EQ(NextAlarm(state_), kStart + absl::Seconds(60));
  EXPECT_THAT(Do(Tick{}, absl::Seconds(59)), ElementsAre());
  EXPECT_THAT(Do(Tick{}, absl::Seconds(60)), ElementsAre("give up n2 b"));
  EXPECT_EQ(state_.contributed(), 0u);
  EXPECT_TRUE(CheckUpload(state_, "b", 1).ok());
}

TEST_F(NodeLossTest, AHeldRoundOpensAgainToAsk) {
  Open(NodeLoss::kAskAgain);
  Do(Contributed{"b", "n2"});
  Do(NodeLost{"n2"});
  Do(Contributed{"c", ""});
  EXPECT_THAT(Do(Contributed{"a", ""}), ElementsAre("hold"));
  EXPECT_EQ(waiting(), "waiting for node n2 with 1 update; asks its clients again in 1m");
  EXPECT_THAT(Do(Tick{}, absl::Seconds(60)), ElementsAre("give up n2 b", "reopen"));
  EXPECT_THAT(Do(Contributed{"b", "n1"}), ElementsAre("close a b c"));
}

TEST_F(NodeLossTest, AHeldRoundGoesOnWithTheRest) {
  Open(NodeLoss::kGoOn);
  Do(Contributed{"b", "n2"});
  Do(NodeLost{"n2"});
  Do(Contributed{"c", ""});
  Do(Contributed{"a", ""});
  EXPECT_EQ(waiting(), "waiting for node n2 with 1 update; goes on without it in 1m");
  EXPECT_THAT(Do(Tick{}, absl::Seconds(60)), ElementsAre("give up n2 b", "close a c"));
}

TEST_F(NodeLossTest, TheRestMayBeTooFewToGoOn) {
  Open(NodeLoss::kGoOn);
  state_.policy.clients_min = 2;
  Do(Contributed{"b", "n2"});
  Do(Contributed{"c", "n2"});
  Do(NodeLost{"n2"});
  Do(Contributed{"a", ""});
  EXPECT_THAT(Do(Tick{}, absl::Seconds(60)), ElementsAre("give up n2 b c", "reopen"));
}

// What it had may be at the root already.
TEST_F(NodeLossTest, AnAggregationInHandIsLeftAlone) {
  Open(NodeLoss::kAskAgain);
  ContributeAll();
  EXPECT_THAT(Do(NodeLost{"n2"}), ElementsAre());
  EXPECT_THAT(Do(Tick{}, absl::Hours(1)), ElementsAre());
  EXPECT_THAT(Do(AggregationFailed{"node n2 is away", false}), ElementsAre("hold"));
  EXPECT_EQ(waiting(), "waiting for node n2 with 2 updates; asks its clients again in 0s");
  EXPECT_EQ(NextAlarm(state_), kStart + absl::Seconds(60));
  EXPECT_THAT(Do(Tick{}), ElementsAre("give up n2 b c", "reopen"));
}

// The attempt may notice before the root does.
TEST_F(NodeLossTest, AFailedAttemptIsHeldOnceItsNodeIsFoundAway) {
  Open(NodeLoss::kGoOn);
  ContributeAll();
  EXPECT_THAT(Do(AggregationFailed{"node n2 is away", false}), ElementsAre());
  EXPECT_THAT(Do(NodeLost{"n2"}, absl::Seconds(1)), ElementsAre("hold"));
  EXPECT_EQ(waiting(), "waiting for node n2 with 2 updates; goes on without it in 1m");
  EXPECT_THAT(Do(Tick{}, absl::Seconds(61)), ElementsAre("give up n2 b c", "close a"));
}

TEST_F(NodeLossTest, AnAttemptThatFailedForWantOfTheNodeIsRepeatedWhenItIsBack) {
  Open(NodeLoss::kWait);
  ContributeAll();
  Do(NodeLost{"n2"});
  Do(AggregationFailed{"node n2 is away", false});
  EXPECT_THAT(Do(NodeBack{"n2"}), ElementsAre("close a b c"));
}

TEST_F(NodeLossTest, WhatIsLostAtANodeIsSentAgain) {
  Open(NodeLoss::kWait);
  Do(Contributed{"b", "n2"});
  EXPECT_THAT(Do(UpdatesLost{{"a", "b", "nobody"}}, absl::Minutes(1)), ElementsAre());
  EXPECT_EQ(state_.contributed(), 0u);
  EXPECT_TRUE(CheckUpload(state_, "b", 1).ok());
  EXPECT_EQ(state_.last_progress, kStart + absl::Minutes(1));
}

TEST_F(NodeLossTest, AClosedRoundThatHasLostTooManyOpensAgain) {
  Open(NodeLoss::kWait);
  state_.policy.clients_min = 2;
  ContributeAll();
  Do(AggregationFailed{"node n2 has lost the update of b", true});
  EXPECT_THAT(Do(UpdatesLost{{"b", "c"}}), ElementsAre("reopen"));
  EXPECT_THAT(Do(Contributed{"b", "n1"}), ElementsAre());
  EXPECT_THAT(Do(Contributed{"c", "n1"}), ElementsAre("close a b c"));
}

TEST_F(NodeLossTest, AHeldRoundThatHasLostTooManyOpensAgain) {
  Open(NodeLoss::kWait);
  state_.policy.clients_min = 2;
  Do(Contributed{"b", "n2"});
  Do(Contributed{"c", "n1"});
  Do(NodeLost{"n2"});
  EXPECT_THAT(Do(Contributed{"a", "n1"}), ElementsAre("hold"));
  EXPECT_THAT(Do(UpdatesLost{{"a", "c"}}), ElementsAre());  // It waits for n2 all the same.
  EXPECT_THAT(Do(NodeBack{"n2"}), ElementsAre("reopen"));
}

TEST_F(NodeLossTest, ARestartHoldsTheRoundAgain) {
  Open(NodeLoss::kWait);
  ContributeAll();
  state_.away["n2"] = now_;
  state_ = Recovered(state_, now_);
  EXPECT_THAT(Do(Tick{}), ElementsAre("hold"));
  EXPECT_THAT(Do(NodeBack{"n2"}), ElementsAre("close a b c"));
}

}  // namespace
}  // namespace cairn::round
