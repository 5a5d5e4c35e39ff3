#include "server/round/round.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace cairn::round {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const absl::Time kStart = absl::FromUnixSeconds(1000);

// A federation that is told events one after another and remembers what it was asked to do.
class Script {
 public:
  explicit Script(Policy policy) { state_.policy = policy; }

  Script& At(absl::Duration since_start) {
    now_ = kStart + since_start;
    return *this;
  }
  std::vector<std::string> Do(const Event& event) {
    Transition next = Step(state_, event, now_);
    state_ = std::move(next.state);
    std::vector<std::string> names;
    for (const Effect& effect : next.effects) names.push_back(Name(effect));
    return names;
  }
  void Join(int clients) {
    for (int i = 1; i <= clients; ++i) Do(Joined{"c" + std::to_string(i)});
  }
  const State& state() const { return state_; }
  std::string waiting() const { return WaitingFor(state_, now_); }
  absl::Time now() const { return now_; }

 private:
  static std::string Name(const Effect& effect) {
    if (auto* opened = std::get_if<RoundOpened>(&effect)) return "open " + std::to_string(opened->round);
    if (std::get_if<RoundExtended>(&effect)) return "extend";
    if (auto* reopened = std::get_if<RoundReopened>(&effect)) return "reopen " + std::to_string(reopened->round);
    if (std::get_if<FederationFinished>(&effect)) return "finish";
    if (!std::get_if<RoundClosed>(&effect)) return "about nodes";
    std::string name = "close";
    for (const std::string& id : std::get<RoundClosed>(effect).contributors) name += " " + id;
    return name;
  }

  State state_;
  absl::Time now_ = kStart;
};

Policy TwoOfThree() {
  Policy policy;
  policy.clients_min = 2;
  policy.clients_target = 3;
  policy.deadline = absl::Seconds(100);
  policy.progress_timeout = absl::Seconds(30);
  policy.rounds = 2;
  return policy;
}

TEST(RoundTest, OpensWhenTheMinimumHasJoined) {
  Script script(TwoOfThree());
  EXPECT_THAT(script.Do(Joined{"c1"}), ElementsAre());
  EXPECT_EQ(script.waiting(), "1 of 2 clients joined");
  EXPECT_THAT(script.Do(Joined{"c2"}), ElementsAre("open 1"));
  EXPECT_THAT(script.Do(Joined{"c2"}), ElementsAre());
  EXPECT_EQ(script.state().deadline, kStart + absl::Seconds(100));
}

TEST(RoundTest, ClosesAtTheTarget) {
  Script script(TwoOfThree());
  script.Join(3);
  EXPECT_THAT(script.Do(Contributed{"c3"}), ElementsAre());
  EXPECT_THAT(script.Do(Contributed{"c1"}), ElementsAre());
  EXPECT_THAT(script.Do(Contributed{"c2"}), ElementsAre("close c1 c2 c3"));
  EXPECT_EQ(script.state().phase, Phase::kAggregating);
}

TEST(RoundTest, ClosesAtTheDeadlineWithTheMinimum) {
  Script script(TwoOfThree());
  script.Join(3);
  script.Do(Contributed{"c1"});
  script.At(absl::Seconds(90)).Do(Contributed{"c2"});
  EXPECT_EQ(NextAlarm(script.state()), kStart + absl::Seconds(100));
  EXPECT_THAT(script.At(absl::Seconds(99)).Do(Tick{}), ElementsAre());
  EXPECT_THAT(script.At(absl::Seconds(100)).Do(Tick{}), ElementsAre("close c1 c2"));
}

TEST(RoundTest, ExtendsAtTheDeadlineBelowTheMinimum) {
  Script script(TwoOfThree());
  script.Join(3);
  script.Do(Contributed{"c1"});
  EXPECT_THAT(script.At(absl::Seconds(100)).Do(Tick{}), ElementsAre("extend"));
  EXPECT_EQ(script.state().deadline, kStart + absl::Seconds(200));
  EXPECT_THAT(script.Do(Tick{}), ElementsAre());
}

TEST(RoundTest, ClosesWhenNobodyMakesProgress) {
  Script script(TwoOfThree());
  script.Join(3);
  script.At(absl::Seconds(1)).Do(Contributed{"c1"});
  script.At(absl::Seconds(2)).Do(Contributed{"c2"});
  script.At(absl::Seconds(20)).Do(UploadProgressed{"c3", 10, 100});
  EXPECT_EQ(NextAlarm(script.state()), kStart + absl::Seconds(50));
  EXPECT_THAT(script.At(absl::Seconds(49)).Do(Tick{}), ElementsAre());
  EXPECT_THAT(script.At(absl::Seconds(50)).Do(Tick{}), ElementsAre("close c1 c2"));
}

TEST(RoundTest, ProgressTimeoutBelowTheMinimumWaits) {
  Script script(TwoOfThree());
  script.Join(3);
  EXPECT_THAT(script.At(absl::Seconds(60)).Do(Tick{}), ElementsAre());
  EXPECT_EQ(script.state().phase, Phase::kOpen);
}

TEST(RoundTest, PublishingOpensTheNextRoundAndTheLastOneFinishes) {
  Script script(TwoOfThree());
  script.Join(3);
  for (const char* id : {"c1", "c2", "c3"}) script.Do(Contributed{id});
  EXPECT_THAT(script.Do(Published{1}), ElementsAre("open 2"));
  EXPECT_EQ(script.state().contributed(), 0u);
  EXPECT_EQ(script.state().version, 1u);
  for (const char* id : {"c1", "c2", "c3"}) script.Do(Contributed{id});
  EXPECT_THAT(script.Do(Published{2}), ElementsAre("finish"));
  EXPECT_THAT(script.Do(Joined{"c4"}), ElementsAre());
  EXPECT_EQ(script.waiting(), "nothing: all 2 rounds are published");
}

TEST(RoundTest, FailedAggregationIsRetriedWithTheSameContributors) {
  Script script(TwoOfThree());
  script.Join(3);
  for (const char* id : {"c1", "c2", "c3"}) script.Do(Contributed{id});
  EXPECT_THAT(script.Do(AggregationFailed{"disk full"}), ElementsAre());
  EXPECT_THAT(script.waiting(), HasSubstr("disk full"));
  EXPECT_EQ(NextAlarm(script.state()), kStart + kAggregationRetry);
  EXPECT_THAT(script.At(kAggregationRetry).Do(Tick{}), ElementsAre("close c1 c2 c3"));
  EXPECT_THAT(script.Do(Tick{}), ElementsAre());
}

TEST(RoundTest, SaysWhatItWaitsFor) {
  Policy policy = TwoOfThree();
  policy.clients_target = 5;
  Script script(policy);
  script.Join(5);
  script.Do(Contributed{"c1"});
  script.Do(Contributed{"c2"});
  script.Do(UploadProgressed{"c3", 63, 100});
  EXPECT_EQ(script.waiting(), "2 of 5; c3 at 63 %; c4, c5 not started; closes without the rest in 30s");
}

TEST(RoundTest, LeavingKeepsAContributionAndStopsCounting) {
  Script script(TwoOfThree());
  script.Join(3);
  script.Do(Contributed{"c1"});
  script.Do(UploadProgressed{"c2", 5, 10});
  script.Do(Left{"c1"});
  script.Do(Left{"c2"});
  EXPECT_EQ(script.state().active(), 1u);
  EXPECT_EQ(CheckUpload(script.state(), "c2", 1).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(script.state().contributed(), 1u);
  EXPECT_EQ(script.state().clients.at("c2").part, Client::Part::kJoined);
}

TEST(RoundTest, ABrokenUploadCountsAsNotStarted) {
  Script script(TwoOfThree());
  script.Join(3);
  script.Do(UploadProgressed{"c2", 5, 10});
  script.Do(UploadEnded{"c2"});
  EXPECT_EQ(script.state().clients.at("c2"), Client{});
}

TEST(RoundTest, UploadsAreCheckedAgainstTheState) {
  Script script(TwoOfThree());
  EXPECT_EQ(CheckUpload(script.state(), "c1", 1).code(), absl::StatusCode::kNotFound);
  script.Do(Joined{"c1"});
  EXPECT_EQ(CheckUpload(script.state(), "c1", 1).code(), absl::StatusCode::kFailedPrecondition);
  script.Do(Joined{"c2"});
  EXPECT_TRUE(CheckUpload(script.state(), "c1", 1).ok());
  EXPECT_EQ(CheckUpload(script.state(), "c1", 2),
            absl::FailedPreconditionError("round 2 is not open yet: the federation is at round 1 (open)"));
  script.Do(Contributed{"c1"});
  EXPECT_EQ(CheckUpload(script.state(), "c1", 1).code(), absl::StatusCode::kAlreadyExists);
  script.Do(Contributed{"c2"});
  script.At(absl::Seconds(100)).Do(Tick{});
  EXPECT_EQ(CheckUpload(script.state(), "c3", 1).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(CheckUpload(script.state(), "c1", 1).code(), absl::StatusCode::kFailedPrecondition);
  script.Do(Left{"c1"});
  script.Do(Published{1});
  EXPECT_EQ(CheckUpload(script.state(), "c2", 1),
            absl::FailedPreconditionError("round 1 is closed: the federation is at round 1 (waiting)"));
}

TEST(RoundTest, RecoveryDropsUploadsAndRestartsTheAggregation) {
  Script script(TwoOfThree());
  script.Join(3);
  script.Do(UploadProgressed{"c3", 1, 2});
  State open = Recovered(script.state(), kStart);
  EXPECT_EQ(open.clients.at("c3").part, Client::Part::kJoined);
  for (const char* id : {"c1", "c2", "c3"}) script.Do(Contributed{id});
  Transition next = Step(Recovered(script.state(), kStart), Tick{}, kStart);
  ASSERT_EQ(next.effects.size(), 1u);
  EXPECT_THAT(std::get<RoundClosed>(next.effects[0]).contributors, ElementsAre("c1", "c2", "c3"));
}

Policy TwoOfThreeWithRoot() {
  Policy policy = TwoOfThree();
  policy.required = "root";
  return policy;
}

TEST(RoundTest, DoesNotCloseAtTheTargetWithoutTheRequiredClient) {
  Script script(TwoOfThreeWithRoot());
  script.Join(4);
  for (const char* id : {"c1", "c2", "c3", "c4"}) EXPECT_THAT(script.Do(Contributed{id}), ElementsAre()) << id;
  EXPECT_THAT(script.Do(Joined{"root"}), ElementsAre());
  EXPECT_THAT(script.Do(Contributed{"root"}), ElementsAre("close c1 c2 c3 c4 root"));
}

TEST(RoundTest, TheRequiredClientOpensNoRoundAndClosesNoneByItself) {
  Script script(TwoOfThreeWithRoot());
  EXPECT_THAT(script.Do(Joined{"root"}), ElementsAre());
  EXPECT_THAT(script.Do(Joined{"c1"}), ElementsAre("open 1"));
  EXPECT_THAT(script.Do(Contributed{"root"}), ElementsAre());
  EXPECT_THAT(script.At(absl::Seconds(100)).Do(Tick{}), ElementsAre("extend"));
  EXPECT_THAT(script.Do(Contributed{"c1"}), ElementsAre());
  EXPECT_THAT(script.At(absl::Seconds(130)).Do(Tick{}), ElementsAre("close c1 root"));
}

TEST(RoundTest, IsExtendedAtTheDeadlineWithoutTheRequiredClient) {
  Script script(TwoOfThreeWithRoot());
  script.Join(2);
  script.Do(Contributed{"c1"});
  script.Do(Contributed{"c2"});
  EXPECT_EQ(NextAlarm(script.state()), kStart + absl::Seconds(100)) << "no progress changes nothing";
  EXPECT_THAT(script.At(absl::Seconds(60)).Do(Tick{}), ElementsAre());
  EXPECT_THAT(script.At(absl::Seconds(100)).Do(Tick{}), ElementsAre("extend"));
  script.Do(Joined{"root"});
  EXPECT_THAT(script.At(absl::Seconds(150)).Do(UploadProgressed{"root", 1, 2}), ElementsAre());
  EXPECT_THAT(script.At(absl::Seconds(160)).Do(Contributed{"root"}), ElementsAre("close c1 c2 root"));
}

TEST(RoundTest, SaysThatItWaitsForTheRequiredClient) {
  Script script(TwoOfThreeWithRoot());
  script.Join(2);
  EXPECT_EQ(script.waiting(),
            "0 of 3; c1, c2 not started; 2 of 3 clients present; needs at least 2; waiting for root, which the rule "
            "needs");
  script.Do(Contributed{"c1"});
  script.Do(Contributed{"c2"});
  EXPECT_EQ(script.waiting(), "2 of 3; 2 of 3 clients present; waiting for root, which the rule needs");
  script.Do(Joined{"root"});
  EXPECT_EQ(script.waiting(), "2 of 3; root not started; waiting for root, which the rule needs");
}

TEST(RoundTest, ReopensWhenTheRequiredUpdateIsOfNoUse) {
  Script script(TwoOfThreeWithRoot());
  script.Join(2);
  script.Do(Joined{"root"});
  for (const char* id : {"c1", "c2", "root"}) script.Do(Contributed{id});
  EXPECT_THAT(script.Do(Dropped{{"root"}}), ElementsAre("reopen 1"));
  EXPECT_THAT(script.Do(Contributed{"root"}), ElementsAre("close c1 c2 root"));
}

// The rule was another one before the restart.
TEST(RoundTest, RecoveryReopensAClosedRoundThatLacksTheRequiredClient) {
  Script script(TwoOfThree());
  script.Join(3);
  for (const char* id : {"c1", "c2", "c3"}) script.Do(Contributed{id});
  State recovered = Recovered(script.state(), kStart);
  recovered.policy.required = "root";
  const Transition next = Step(recovered, Tick{}, kStart);
  ASSERT_EQ(next.effects.size(), 1u);
  EXPECT_TRUE(std::holds_alternative<RoundReopened>(next.effects[0]));
}

// Whatever happens in whatever order: a round closes with at least the minimum and the required client, versions follow
// rounds, nobody counts twice.
TEST(RoundTest, InvariantsHoldUnderRandomEvents) {
  for (int seed = 0; seed < 300; ++seed) {
    std::mt19937 random(seed);
    State state;
    state.policy = TwoOfThree();
    state.policy.rounds = 5;
    if (seed % 2 == 1) state.policy.required = "c3";
    state.policy.on_node_loss = static_cast<NodeLoss>(seed % 3);
    absl::Time now = kStart;
    for (int i = 0; i < 300; ++i) {
      now += absl::Seconds(random() % 20);
      const std::string id = "c" + std::to_string(random() % 5);
      const std::string node = "n" + std::to_string(random() % 2);
      const bool away = state.away.count(node) != 0;  // Then nothing comes from there.
      const Event events[] = {Joined{id},
                              Left{id},
                              UploadProgressed{id, 1, 2},
                              UploadEnded{id},
                              Contributed{id},
                              Contributed{id, away ? "" : node},
                              NodeLost{node},
                              NodeBack{node},
                              Published{state.round},
                              AggregationFailed{"x"},
                              UpdatesLost{state.in_hand() ? std::vector<std::string>() : std::vector{id}},
                              Tick{}};
      const State before = state;
      Transition next = Step(state, events[random() % std::size(events)], now);
      state = std::move(next.state);
      for (const Effect& effect : next.effects) {
        if (auto* closed = std::get_if<RoundClosed>(&effect)) {
          EXPECT_GE(closed->contributors.size(), state.policy.clients_min);
          EXPECT_TRUE(state.has_required());
          EXPECT_EQ(closed->round, state.round);
          for (const std::string& each : closed->contributors) {
            EXPECT_EQ(state.away.count(state.clients[each].node), 0u);
          }
        }
        if (auto* opened = std::get_if<RoundOpened>(&effect)) {
          EXPECT_EQ(opened->round, before.round + 1);
        }
      }
      EXPECT_LE(state.version, state.round);
      EXPECT_TRUE(!state.held || (state.phase == Phase::kAggregating && !state.away.empty()));
      EXPECT_GE(state.round, before.round);
      EXPECT_LE(state.round, state.policy.rounds);
    }
  }
}

TEST(RoundTest, WhatWillFailAgainIsTriedLessAndLess) {
  Script script(TwoOfThree());
  script.Join(3);
  for (const char* id : {"c1", "c2", "c3"}) script.Do(Contributed{id});
  absl::Duration at;
  for (int pause : {15, 30, 60, 120, 240, 480, 600, 600}) {
    script.Do(AggregationFailed{"a value overflows", true});
    at += absl::Seconds(pause);
    EXPECT_EQ(NextAlarm(script.state()), kStart + at);
    EXPECT_THAT(script.At(at).Do(Tick{}), ElementsAre("close c1 c2 c3"));
  }
  // A full disk may be gone soon.
  script.Do(AggregationFailed{"disk full", false});
  EXPECT_EQ(NextAlarm(script.state()), kStart + at + kAggregationRetry);
  script.Do(Published{1});
  EXPECT_EQ(script.state().failures, 0u);
}

TEST(RoundTest, GoesOnWithoutAnUpdateThatIsOfNoUse) {
  Script script(TwoOfThree());
  script.Join(3);
  for (const char* id : {"c1", "c2", "c3"}) script.Do(Contributed{id});
  EXPECT_THAT(script.Do(Dropped{{"c2"}}), ElementsAre("close c1 c3"));
  EXPECT_THAT(script.Do(Dropped{{"c2"}}), ElementsAre()) << "once";
  EXPECT_EQ(script.state().phase, Phase::kAggregating);
}

TEST(RoundTest, ReopensOnceForAllUpdatesThatAreOfNoUse) {
  Script script(TwoOfThree());
  script.Join(3);
  for (const char* id : {"c1", "c2", "c3"}) script.Do(Contributed{id});
  EXPECT_THAT(script.Do(Dropped{{"c1", "stranger", "c3"}}), ElementsAre("reopen 1"));
  EXPECT_EQ(script.state().contributed(), 1u);
}

TEST(RoundTest, ReopensWhenTooFewUpdatesAreLeft) {
  Script script(TwoOfThree());
  script.Join(3);
  script.Do(Contributed{"c1"});
  script.Do(Contributed{"c2"});
  ASSERT_THAT(script.At(absl::Seconds(100)).Do(Tick{}), ElementsAre("close c1 c2"));
  EXPECT_THAT(script.Do(Dropped{{"c1"}}), ElementsAre("reopen 1"));
  EXPECT_EQ(script.state().phase, Phase::kOpen);
  EXPECT_EQ(script.state().deadline, kStart + absl::Seconds(200));
  EXPECT_EQ(script.state().contributed(), 1u);
  EXPECT_THAT(script.Do(Dropped{{"c2"}}), ElementsAre()) << "an open round has its own ways";
  EXPECT_TRUE(CheckUpload(script.state(), "c1", 1).ok());
  script.Do(Contributed{"c1"});
  EXPECT_THAT(script.Do(Contributed{"c3"}), ElementsAre("close c1 c2 c3"));
}

}  // namespace
}  // namespace cairn::round
