#include "server/node/turns.h"

#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <thread>

namespace cairn {
namespace {

TEST(TurnsTest, AreTakenOneAfterTheOther) {
  Turns turns;
  auto first = turns.Await(std::make_shared<Errand>());
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(turns.TryTake(), nullptr);
  bool over = false;
  auto second = std::async(std::launch::async, [&] {
    const auto turn = turns.Await(std::make_shared<Errand>());
    return turn.ok() && over;
  });
  over = true;
  first->reset();
  EXPECT_TRUE(second.get());
  EXPECT_NE(turns.TryTake(), nullptr);
}

TEST(TurnsTest, NobodyWaitsForWhatIsNotWantedAnyMore) {
  Turns turns;
  const auto held = turns.TryTake();
  const auto errand = std::make_shared<Errand>();
  errand->GiveUp();
  EXPECT_EQ(turns.Await(errand).status().code(), absl::StatusCode::kAborted);
}

TEST(TurnsTest, NobodyWaitsBehindOneThatHangs) {
  Turns turns;
  const auto hung = std::make_shared<Errand>();
  auto held = turns.Await(hung);
  ASSERT_TRUE(held.ok());
  const auto next = std::make_shared<Errand>();
  auto waits = std::async(std::launch::async, [&] { return turns.Await(next).status(); });
  while (!next->awaits_others()) std::this_thread::yield();  // It is not this one that hangs.
  hung->Hang();
  EXPECT_EQ(waits.get().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_FALSE(next->awaits_others());
  held->reset();  // It came to its end all the same.
  EXPECT_TRUE(turns.Await(std::make_shared<Errand>()).ok());
}

TEST(ErrandTest, StaysHungWhenItIsGivenUp) {
  Errand errand;
  EXPECT_TRUE(errand.wanted());
  errand.Hang();
  errand.GiveUp();
  EXPECT_TRUE(errand.hung());
  EXPECT_FALSE(errand.wanted());
}

}  // namespace
}  // namespace cairn
