#include "server/store/shared/leases.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/store/shared/sessions.h"

namespace cairn {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST(Leases, BelongToProcesses) {
  Leases leases;
  leases.Add(1, 10);
  leases.Add(1, 10);
  leases.Add(2, 10);
  EXPECT_EQ(leases.size(), 3u);
  EXPECT_TRUE(leases.Remove(1, 10));
  EXPECT_TRUE(leases.Remove(1, 10));
  EXPECT_FALSE(leases.Remove(1, 10)) << "more was given back than taken";
  EXPECT_FALSE(leases.Holds(1));
  EXPECT_TRUE(leases.Held(10));
  EXPECT_TRUE(leases.Remove(2, 10));
  EXPECT_FALSE(leases.Held(10));
  EXPECT_FALSE(leases.Remove(3, 11));
}

TEST(Leases, OfADeadProcessComeBackTogether) {
  Leases leases;
  leases.Add(1, 10);
  leases.Add(1, 10);
  leases.Add(1, 11);
  leases.Add(2, 11);
  EXPECT_THAT(leases.RemoveAll(1), ElementsAre(10, 11));
  EXPECT_THAT(leases.RemoveAll(1), IsEmpty());
  EXPECT_FALSE(leases.Held(10));
  EXPECT_TRUE(leases.Held(11));
  EXPECT_EQ(leases.size(), 1u);
}

class SessionsTest : public ::testing::Test {
 protected:
  absl::Time At(int seconds) const { return absl::UnixEpoch() + absl::Seconds(seconds); }
  static bool Holds(Epoch) { return true; }
  static bool HoldsNothing(Epoch) { return false; }
  Sessions sessions_{absl::Seconds(10)};
};

TEST_F(SessionsTest, WhoIsSilentTooLongIsFencedForGood) {
  const Epoch silent = sessions_.Open({1, 1}, At(0)), lively = sessions_.Open({2, 2}, At(0));
  EXPECT_TRUE(sessions_.Renew(lively, At(5)).ok());
  EXPECT_EQ(sessions_.NextFence(Holds), At(10));
  EXPECT_THAT(sessions_.Fence(At(9), Holds), IsEmpty());
  const auto fenced = sessions_.Fence(At(10), Holds);
  ASSERT_THAT(fenced, SizeIs(1));
  EXPECT_EQ(fenced[0].first, silent);
  EXPECT_EQ(fenced[0].second, (ProcessId{1, 1}));
  EXPECT_TRUE(absl::IsFailedPrecondition(sessions_.Renew(silent, At(10))));
  EXPECT_TRUE(absl::IsFailedPrecondition(sessions_.Renew(silent, At(99))));
  EXPECT_TRUE(sessions_.Renew(lively, At(10)).ok());
  EXPECT_THAT(sessions_.Fence(At(11), Holds), IsEmpty()) << "fenced twice";
}

TEST_F(SessionsTest, WhoHoldsNothingMaySleep) {
  const Epoch idle = sessions_.Open({1, 1}, At(0));
  EXPECT_EQ(sessions_.NextFence(HoldsNothing), absl::InfiniteFuture());
  EXPECT_THAT(sessions_.Fence(At(1000), HoldsNothing), IsEmpty());
  EXPECT_TRUE(sessions_.Renew(idle, At(1000)).ok());
}

TEST_F(SessionsTest, EpochsAreNeverUsedAgain) {
  const Epoch first = sessions_.Open({1, 1}, At(0));
  EXPECT_NE(first, kAgentEpoch);
  sessions_.Close(first);
  EXPECT_GT(sessions_.Open({1, 1}, At(0)), first);
  EXPECT_TRUE(absl::IsNotFound(sessions_.Renew(first, At(0))));
}

}  // namespace
}  // namespace cairn
