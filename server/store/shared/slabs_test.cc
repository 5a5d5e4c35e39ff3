#include "server/store/shared/slabs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/limits.h"

namespace cairn {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::uint64_t kBytes = 2 * limits::kMiB;
constexpr Epoch kWorker = 5, kOther = 6;

class SlabsTest : public ::testing::Test {
 protected:
  // What was given up goes.
  void Unmap() {
    for (Slabs::Unmapping& slab : slabs_.TakeToUnmap()) {
      slab.memory.reset();
      slabs_.Unmapped(slab.slab);
    }
  }
  // With what has to be unmapped for it.
  std::optional<SlabRef> Reserve(Epoch writer, std::uint64_t bytes) {
    const auto slab = slabs_.Reserve(writer, bytes);
    if (slab) return slab;
    Unmap();
    return slabs_.Reserve(writer, bytes);
  }
  SlabRef Make(Epoch writer, std::uint64_t bytes = kBytes) {
    const auto slab = Reserve(writer, bytes);
    EXPECT_TRUE(slab.has_value());
    auto memory = MakeWorkerSlab(bytes);  // Untouched pages: these tests are about numbers.
    EXPECT_TRUE(memory.ok()) << memory.status();
    slabs_.Install(*slab, *std::move(memory));
    return *slab;
  }
  Slabs slabs_{4 * kBytes};
};

TEST_F(SlabsTest, AnIdleSlabServesItsSizeAndItsWriter) {
  const SlabRef slab = Make(kAgentEpoch);
  slabs_.Give(slab);
  EXPECT_EQ(slabs_.TakeIdle(kAgentEpoch, 2 * kBytes), std::nullopt);
  EXPECT_EQ(slabs_.TakeIdle(kWorker, kBytes), std::nullopt);
  EXPECT_EQ(slabs_.TakeIdle(kAgentEpoch, kBytes), slab);
  EXPECT_EQ(slabs_.TakeIdle(kAgentEpoch, kBytes), std::nullopt);
}

TEST_F(SlabsTest, OldIdleSlabsMakeRoom) {
  const SlabRef first = Make(kAgentEpoch), second = Make(kAgentEpoch), used = Make(kAgentEpoch);
  slabs_.Give(first);
  slabs_.Give(second);
  EXPECT_EQ(slabs_.mapped(), 3 * kBytes);
  Make(kAgentEpoch, 2 * kBytes);
  EXPECT_EQ(slabs_.mapped(), 4 * kBytes);
  EXPECT_EQ(slabs_.TakeIdle(kAgentEpoch, kBytes), second);
  EXPECT_EQ(Reserve(kAgentEpoch, kBytes), std::nullopt) << "beyond the capacity";
  slabs_.Give(used);
  const auto third = Reserve(kAgentEpoch, kBytes);
  ASSERT_TRUE(third.has_value());
  EXPECT_EQ(third->index, used.index);
  EXPECT_NE(third->incarnation, used.incarnation);
  slabs_.Cancel(*third);
  EXPECT_EQ(slabs_.mapped(), 3 * kBytes);
}

// Two thirds of the idle memory are enough: what is on its way out is not given up for twice.
TEST_F(SlabsTest, WhatIsGivenUpCountsUntilItIsUnmapped) {
  const SlabRef first = Make(kAgentEpoch), second = Make(kAgentEpoch, 2 * kBytes), third = Make(kAgentEpoch);
  for (const SlabRef slab : {first, second, third}) slabs_.Give(slab);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(slabs_.Reserve(kAgentEpoch, 3 * kBytes), std::nullopt);
    EXPECT_EQ(slabs_.mapped(), 4 * kBytes);
    EXPECT_EQ(slabs_.idle(), kBytes);
  }
  EXPECT_EQ(slabs_.retired(), 0u) << "no process is waited for";
  std::vector<Slabs::Unmapping> going = slabs_.TakeToUnmap();
  ASSERT_EQ(going.size(), 2u);
  EXPECT_NE(going[0].memory, nullptr);
  slabs_.Unmapped(going[0].slab);
  EXPECT_EQ(slabs_.Reserve(kAgentEpoch, 3 * kBytes), std::nullopt);
  slabs_.Unmapped(going[1].slab);
  EXPECT_TRUE(slabs_.Reserve(kAgentEpoch, 3 * kBytes).has_value());
  EXPECT_EQ(slabs_.mapped(), 4 * kBytes);
  EXPECT_EQ(slabs_.TakeIdle(kAgentEpoch, kBytes), third);
}

// A process that lets go before the memory is unmapped here, and one that lets go afterwards.
TEST_F(SlabsTest, MemoryIsFreeWhenBothSidesHaveLetGo) {
  for (const bool first : {true, false}) {
    const SlabRef slab = Make(kAgentEpoch, 4 * kBytes);
    slabs_.AddHolder(slab, kWorker);
    slabs_.Give(slab);
    EXPECT_EQ(slabs_.Reserve(kAgentEpoch, kBytes), std::nullopt);
    EXPECT_EQ(slabs_.retired(), 4 * kBytes);
    if (first) slabs_.DropHolder(slab, kWorker);
    EXPECT_EQ(slabs_.retired(), first ? 0 : 4 * kBytes);
    EXPECT_EQ(slabs_.mapped(), 4 * kBytes);
    Unmap();
    EXPECT_EQ(slabs_.mapped(), first ? 0 : 4 * kBytes);
    slabs_.DropHolder(slab, kWorker);
    EXPECT_EQ(slabs_.mapped(), 0u);
  }
}

TEST_F(SlabsTest, WhatNobodyElseMapsGoesFirst) {
  const SlabRef held = Make(kAgentEpoch, 2 * kBytes), unheld = Make(kAgentEpoch, 2 * kBytes);
  slabs_.AddHolder(held, kWorker);
  slabs_.Give(held);  // The older one.
  slabs_.Give(unheld);
  ASSERT_TRUE(Reserve(kAgentEpoch, kBytes).has_value());
  EXPECT_EQ(slabs_.retired(), 0u);
  EXPECT_EQ(slabs_.TakeIdle(kAgentEpoch, 2 * kBytes), held);
}

TEST_F(SlabsTest, AProcessThatDoesNotLetGoIsNotWaitedForWithoutNeed) {
  const SlabRef stopped = Make(kAgentEpoch, 2 * kBytes), idle = Make(kAgentEpoch, 2 * kBytes);
  slabs_.AddHolder(stopped, kWorker);
  slabs_.Give(stopped);
  EXPECT_EQ(Reserve(kAgentEpoch, 3 * kBytes), std::nullopt);
  slabs_.Give(idle);
  EXPECT_TRUE(Reserve(kAgentEpoch, kBytes).has_value());
  EXPECT_EQ(slabs_.retired(), 2 * kBytes);
}

TEST_F(SlabsTest, MemoryIsFreeWhenNobodyMapsIt) {
  const SlabRef slab = Make(kAgentEpoch, 4 * kBytes);
  EXPECT_TRUE(slabs_.AddHolder(slab, kWorker));
  EXPECT_FALSE(slabs_.AddHolder(slab, kWorker));
  slabs_.AddHolder(slab, kOther);
  slabs_.Give(slab);
  EXPECT_EQ(Reserve(kAgentEpoch, kBytes), std::nullopt);
  EXPECT_THAT(slabs_.TakeToTell(), ElementsAre(kWorker, kOther));
  EXPECT_THAT(slabs_.TakeToTell(), IsEmpty());
  EXPECT_EQ(slabs_.retired(), 4 * kBytes);
  EXPECT_EQ(slabs_.RetiredOf(kWorker), slab);
  slabs_.DropHolder(slab, kWorker);
  slabs_.DropHolder(slab, kWorker);
  slabs_.DropHolder({99, 1}, kWorker);
  EXPECT_EQ(slabs_.RetiredOf(kWorker), std::nullopt);
  EXPECT_EQ(Reserve(kAgentEpoch, kBytes), std::nullopt);
  slabs_.DropHolder(kOther);  // As when it dies.
  EXPECT_EQ(slabs_.mapped(), 0u);
  EXPECT_EQ(slabs_.retired(), 0u);
  const auto next = Reserve(kAgentEpoch, kBytes);
  ASSERT_TRUE(next.has_value());
  slabs_.DropHolder(slab, kOther);  // Late, and of an earlier incarnation.
  EXPECT_EQ(slabs_.mapped(), kBytes);
}

TEST_F(SlabsTest, WhatADeadWorkerAloneCouldWriteIsNotUsedAgain) {
  const SlabRef idle = Make(kWorker), used = Make(kWorker), other = Make(kOther);
  slabs_.Give(idle);
  slabs_.Give(other);
  slabs_.EndWriter(kWorker);
  Unmap();
  EXPECT_EQ(slabs_.mapped(), 2 * kBytes);
  EXPECT_EQ(slabs_.TakeIdle(kWorker, kBytes), std::nullopt);
  slabs_.Give(used);  // It held a sealed object until now.
  Unmap();
  EXPECT_EQ(slabs_.mapped(), kBytes);
  EXPECT_EQ(slabs_.TakeIdle(kOther, kBytes), other);
}

}  // namespace
}  // namespace cairn
