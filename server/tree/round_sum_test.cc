#include "server/tree/round_sum.h"

#include <gmock/gmock.h>

#include <random>
#include <string>

#include "absl/strings/str_cat.h"
#include "aggregators/blame.h"

namespace cairn::tree {
namespace {

using ::testing::ElementsAre;
using ::testing::Optional;

UpdateId Update(int i) { return {absl::StrCat("c", i), "sha"}; }
UpdateSet Updates(std::initializer_list<int> numbers) {
  UpdateSet set;
  for (const int i : numbers) set.insert(Update(i));
  return set;
}

// Workers that hold what they were told to; a partial is the list of what went into it.
class World {
 public:
  RoundSum sum;

  // Gives `worker` its next task; false: there is none.
  bool Begin(WorkerId worker, std::size_t leaves_max = 4) {
    if (doing_.count(worker) > 0) return false;
    const auto action = sum.Next(worker, leaves_max);
    if (action) doing_[worker] = *action;
    return action.has_value();
  }
  void End(WorkerId worker) {
    const Action action = doing_.at(worker);
    doing_.erase(worker);
    std::multiset<UpdateId>& held = held_[worker];
    if (const Fold* fold = std::get_if<Fold>(&action)) {
      held.insert(fold->updates.begin(), fold->updates.end());
      sum.Folded(worker, std::vector<absl::Status>(fold->updates.size()));
    } else if (const Merge* merge = std::get_if<Merge>(&action)) {
      const auto& other = sealed_.at(merge->partial);
      held.insert(other.begin(), other.end());
      sum.Merged(worker);
    } else if (std::holds_alternative<Seal>(action)) {
      sealed_[++last_] = std::exchange(held, {});
      sum.Sealed(worker, last_);
    } else {
      held.clear();
      sum.Dropped(worker);
    }
  }
  void Lose(WorkerId worker) {
    doing_.erase(worker);
    held_.erase(worker);
    sum.Lost(worker);
  }
  // It finds no memory for what it was told to fold.
  void Starve(WorkerId worker) {
    const Fold fold = std::get<Fold>(doing_.at(worker));
    doing_.erase(worker);
    held_.erase(worker);
    sum.Folded(worker, std::vector<absl::Status>(fold.updates.size(), absl::ResourceExhaustedError("no room")));
    sum.Lost(worker);
  }
  bool Folds(WorkerId worker) const { return busy(worker) && std::holds_alternative<Fold>(doing(worker)); }
  bool Step(WorkerId worker, std::size_t leaves_max = 4) {
    if (!Begin(worker, leaves_max)) return false;
    End(worker);
    return true;
  }
  void RunAll(WorkerId workers, std::size_t leaves_max = 4) {
    for (bool any = true; any;) {
      any = false;
      for (WorkerId worker = 1; worker <= workers; ++worker) any = Step(worker, leaves_max) || any;
    }
  }
  bool busy(WorkerId worker) const { return doing_.count(worker) > 0; }
  const Action& doing(WorkerId worker) const { return doing_.at(worker); }
  // What the finished sum holds, each as often as it was folded.
  std::vector<UpdateId> Result() const {
    const auto& held = sealed_.at(sum.finished().value());
    return {held.begin(), held.end()};
  }
  std::vector<UpdateId> Held(WorkerId worker) const {
    const auto found = held_.find(worker);
    return found == held_.end() ? std::vector<UpdateId>()
                                : std::vector<UpdateId>(found->second.begin(), found->second.end());
  }

 private:
  std::map<WorkerId, Action> doing_;
  std::map<WorkerId, std::multiset<UpdateId>> held_;
  std::map<PartialId, std::multiset<UpdateId>> sealed_;
  PartialId last_ = 0;
};

TEST(RoundSumTest, FoldsWhatComesAndSealsWhenClosed) {
  World world;
  world.sum.Offer(Update(1));
  world.sum.Offer(Update(2));
  world.sum.Offer(Update(1));
  world.RunAll(2);
  EXPECT_THAT(world.Held(1), ElementsAre(Update(1), Update(2))) << "two updates are no work for two";
  EXPECT_EQ(world.sum.finished(), std::nullopt);
  world.sum.Close(Updates({1, 2}));
  world.RunAll(2);
  EXPECT_THAT(world.Result(), ElementsAre(Update(1), Update(2)));
  EXPECT_EQ(world.sum.Leaves().size(), 0u);
}

TEST(RoundSumTest, ManyWaitingUpdatesCallForMoreLeavesAsFarAsThereMayBe) {
  for (const std::size_t leaves_max : {1, 2, 3}) {
    World world;
    for (int i = 0; i < 30; ++i) world.sum.Offer(Update(i));
    for (WorkerId worker = 1; worker <= 4; ++worker) world.Begin(worker, leaves_max);
    EXPECT_EQ(world.sum.Leaves().size(), leaves_max);
    EXPECT_EQ(std::get<Fold>(world.doing(1)).updates.size(), RoundSum::kUpdatesPerFold);
  }
}

TEST(RoundSumTest, LeavesSealAndTheOneWithMostMerges) {
  World world;
  for (int i = 0; i < 7; ++i) world.sum.Offer(Update(i));
  world.Step(1);  // Four.
  world.Step(2);  // Three.
  world.sum.Close(Updates({0, 1, 2, 3, 4, 5, 6}));
  EXPECT_FALSE(world.Begin(1)) << "the top waits for the others";
  ASSERT_TRUE(world.Begin(2));
  EXPECT_TRUE(std::holds_alternative<Seal>(world.doing(2)));
  EXPECT_FALSE(world.Begin(1)) << "not sealed yet";
  world.End(2);
  ASSERT_TRUE(world.Begin(1));
  EXPECT_EQ(std::get<Merge>(world.doing(1)).partial, 1u);
  world.End(1);
  EXPECT_THAT(world.sum.TakeUseless(), ElementsAre()) << "not before what covers it is sealed";
  ASSERT_TRUE(world.Step(1));
  EXPECT_THAT(world.sum.TakeUseless(), ElementsAre(1u));
  EXPECT_EQ(world.Result().size(), 7u);
}

TEST(RoundSumTest, WhatAWorkerHadNotSealedIsFoldedAgain) {
  World world;
  for (int i = 0; i < 7; ++i) world.sum.Offer(Update(i));
  world.Step(1);
  world.Step(2);
  world.sum.Close(Updates({0, 1, 2, 3, 4, 5, 6}));
  world.Step(2);   // Sealed.
  world.Begin(1);  // Merges.
  world.Lose(1);
  EXPECT_EQ(world.sum.waiting(), 4u) << "the sealed partial is still there";
  world.RunAll(3);
  EXPECT_EQ(world.Result().size(), 7u);
}

TEST(RoundSumTest, AnUpdateThatIsNotWantedMakesItsPartialUseless) {
  World world;
  for (int i = 0; i < 3; ++i) world.sum.Offer(Update(i));
  world.Step(1);
  world.sum.Close(Updates({0, 2}));
  ASSERT_TRUE(world.Begin(1));
  EXPECT_TRUE(std::holds_alternative<Drop>(world.doing(1)));
  world.End(1);
  world.RunAll(1);
  EXPECT_THAT(world.Result(), ElementsAre(Update(0), Update(2)));
}

TEST(RoundSumTest, ARoundThatIsOpenAgainKeepsWhatItHas) {
  World world;
  world.sum.Offer(Update(1));
  world.sum.Close(Updates({1}));
  world.RunAll(2);
  ASSERT_NE(world.sum.finished(), std::nullopt);
  world.sum.Offer(Update(2));
  EXPECT_EQ(world.sum.finished(), std::nullopt);
  world.sum.Close(Updates({1, 2}));
  world.RunAll(2);
  EXPECT_THAT(world.Result(), ElementsAre(Update(1), Update(2)));
}

TEST(RoundSumTest, ARefusedUpdateEndsTheSumThatWantsIt) {
  RoundSum sum;
  sum.Offer(Update(1));
  sum.Offer(Update(2));
  ASSERT_TRUE(sum.Next(1, 1));
  const std::vector<absl::Status> results{absl::OkStatus(), absl::InvalidArgumentError("NaN")};
  sum.Folded(1, results);
  EXPECT_TRUE(sum.failure().ok()) << "nobody wants it yet";
  sum.Close(Updates({1, 2}));
  EXPECT_EQ(BlamedClient(sum.failure()), "c2");
  EXPECT_EQ(sum.Next(1, 1), std::nullopt);
  sum.Close(Updates({1}));
  EXPECT_TRUE(sum.failure().ok());
  EXPECT_TRUE(sum.Next(1, 1)) << "goes on with the others";
}

TEST(RoundSumTest, WhatFailsAgainAndAgainIsGivenUp) {
  RoundSum sum;
  sum.Close(Updates({1}));
  for (int i = 0; i < RoundSum::kAttemptsMax; ++i) {
    ASSERT_TRUE(sum.failure().ok());
    ASSERT_TRUE(sum.Next(1, 1));
    const std::vector<absl::Status> results{absl::UnavailableError("no such file")};
    sum.Folded(1, results);
  }
  EXPECT_TRUE(absl::IsUnavailable(sum.failure()));
}

TEST(RoundSumTest, ARoundThatLosesWorkerAfterWorkerIsGivenUp) {
  RoundSum sum;
  sum.Close(Updates({1, 2}));
  for (WorkerId worker = 1; worker <= RoundSum::kLossesMax; ++worker) {
    ASSERT_TRUE(sum.failure().ok());
    ASSERT_TRUE(sum.Next(worker, 1));
    sum.Lost(worker);
  }
  EXPECT_TRUE(absl::IsUnavailable(sum.failure()));
  EXPECT_FALSE(sum.Next(100, 1));
  sum.Close(Updates({1, 2}));  // Another attempt.
  EXPECT_TRUE(sum.failure().ok());
  EXPECT_TRUE(sum.Next(101, 1));
}

TEST(RoundSumTest, WithoutMemoryForAllSomeGoOn) {
  World world;
  for (int i = 0; i < 16; ++i) world.sum.Offer(Update(i));
  for (WorkerId worker = 1; worker <= 3; ++worker) ASSERT_TRUE(world.Begin(worker));
  world.Starve(2);
  EXPECT_FALSE(world.Begin(2)) << "there is room for two";
  EXPECT_FALSE(world.Begin(4));
  world.End(1);
  world.End(3);
  EXPECT_FALSE(world.Begin(2)) << "not later either";
  ASSERT_TRUE(world.Begin(1));
  world.Starve(1);
  UpdateSet all;
  for (int i = 0; i < 16; ++i) all.insert(Update(i));
  world.sum.Close(all);
  EXPECT_FALSE(world.Begin(1));
  world.RunAll(4);
  EXPECT_EQ(world.Result().size(), 16u);
}

TEST(RoundSumTest, WithoutMemoryForOneTheOpenRoundWaitsAndTheClosedOneIsGivenUp) {
  World world;
  world.sum.Offer(Update(1));
  for (const WorkerId worker : {1, 2}) {
    ASSERT_TRUE(world.Begin(worker)) << "the second one has the round for itself";
    world.Starve(worker);
  }
  EXPECT_FALSE(world.Begin(1));
  EXPECT_FALSE(world.Begin(2));
  world.sum.Close(Updates({1}));
  EXPECT_TRUE(world.sum.failure().ok()) << "there may be some by now";
  ASSERT_TRUE(world.Begin(2));
  world.Starve(2);
  EXPECT_TRUE(absl::IsResourceExhausted(world.sum.failure()));
  EXPECT_FALSE(world.Begin(1));
}

TEST(RoundSumTest, TwoThatWaitedForEachOtherLeaveTheRoundToOne) {
  World world;
  for (int i = 0; i < 7; ++i) world.sum.Offer(Update(i));
  ASSERT_TRUE(world.Begin(1));
  ASSERT_TRUE(world.Begin(2));
  world.sum.Close(Updates({0, 1, 2, 3, 4, 5, 6}));
  world.Starve(1);
  EXPECT_FALSE(world.Begin(1)) << "the other one may have memory now";
  world.Starve(2);
  EXPECT_TRUE(world.sum.failure().ok());
  ASSERT_TRUE(world.Begin(1));
  EXPECT_FALSE(world.Begin(2));
  world.End(1);
  world.RunAll(2);
  EXPECT_EQ(world.Result().size(), 7u);
}

TEST(RoundSumTest, WithoutMemoryToMergeInTheRoundIsGivenUp) {
  World world;
  for (int i = 0; i < 7; ++i) world.sum.Offer(Update(i));
  world.Step(1);
  world.Step(2);
  world.sum.Close(Updates({0, 1, 2, 3, 4, 5, 6}));
  world.Step(2);
  ASSERT_TRUE(world.Begin(1));
  world.sum.Failed(1, absl::ResourceExhaustedError("no room"));
  EXPECT_TRUE(absl::IsResourceExhausted(world.sum.failure()));
}

TEST(RoundSumTest, IdleWorkersThatGoAreNotTheRoundsFault) {
  RoundSum sum;
  sum.Offer(Update(1));
  sum.Close(Updates({1}));
  ASSERT_TRUE(sum.Next(1, 1));
  for (WorkerId worker = 2; worker < 20; ++worker) {
    EXPECT_FALSE(sum.Next(worker, 1));
    sum.Lost(worker);
  }
  EXPECT_TRUE(sum.failure().ok());
}

// Anything may happen in any order; at the end the sum has each wanted update once.
TEST(RoundSumTest, WhateverHappensEachWantedUpdateIsThereOnce) {
  for (unsigned seed = 0; seed < 3000; ++seed) {
    std::mt19937 random(seed);
    const auto below = [&](int n) { return static_cast<int>(random() % n); };
    World world;
    const int updates = 1 + below(20), workers = 1 + below(4);
    const std::size_t leaves_max = 1 + below(4);
    int offered = 0;
    UpdateSet wanted;
    for (int event = 0; event < 150; ++event) {
      const WorkerId worker = 1 + below(workers);
      switch (below(event < 100 ? 12 : 11)) {
        case 0:
        case 1:
          if (offered < updates) world.sum.Offer(Update(offered++));
          break;
        case 2:
          world.Folds(worker) && below(2) == 0 ? world.Starve(worker) : world.Lose(worker);
          break;
        case 3: {
          if (below(4) != 0) break;
          wanted.clear();
          for (int i = 0; i < updates; ++i) {
            if (below(5) != 0) wanted.insert(Update(i));
          }
          if (!wanted.empty()) world.sum.Close(wanted);
          break;
        }
        default:
          if (world.busy(worker)) {
            world.End(worker);
          } else {
            world.Begin(worker, leaves_max);
          }
      }
    }
    wanted = {Update(0)};
    for (int i = 1; i < updates; ++i) {
      if (below(5) != 0) wanted.insert(Update(i));
    }
    world.sum.Close(wanted);
    for (WorkerId worker = 1; worker <= static_cast<WorkerId>(workers); ++worker) {
      if (world.busy(worker)) world.End(worker);
    }
    world.RunAll(workers, leaves_max);
    ASSERT_NE(world.sum.finished(), std::nullopt) << "seed " << seed;
    ASSERT_EQ(world.Result(), std::vector<UpdateId>(wanted.begin(), wanted.end())) << "seed " << seed;
  }
}

}  // namespace
}  // namespace cairn::tree
