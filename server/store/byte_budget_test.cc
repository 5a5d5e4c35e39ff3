#include "server/store/byte_budget.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace cairn {
namespace {

TEST(ByteBudgetTest, GrantsInOrderOfArrival) {
  ByteBudget budget(10);
  std::string order;
  budget.Acquire(6, [&] { order += 'a'; });
  budget.Acquire(6, [&] { order += 'b'; });
  budget.Acquire(2, [&] { order += 'c'; });  // Would fit, but b was first.
  EXPECT_EQ(order, "a");
  EXPECT_EQ(budget.waiting(), 2u);
  budget.Release(6);
  EXPECT_EQ(order, "abc");
  EXPECT_EQ(budget.used(), 8u);
}

TEST(ByteBudgetTest, CancelUnblocksThoseBehind) {
  ByteBudget budget(10);
  std::string order;
  budget.Acquire(6, [&] { order += 'a'; });
  auto big = budget.Acquire(9, [&] { order += 'b'; });
  budget.Acquire(3, [&] { order += 'c'; });
  EXPECT_TRUE(budget.Cancel(big));
  EXPECT_EQ(order, "ac");
  EXPECT_FALSE(budget.Cancel(big));
}

TEST(ByteBudgetTest, AGrantMayUseTheBudget) {
  ByteBudget budget(10);
  bool done = false;
  budget.Acquire(10, [] {});
  budget.Acquire(5, [&] {
    budget.Release(5);
    budget.Acquire(10, [&] { done = true; });
  });
  budget.Release(10);
  EXPECT_TRUE(done);
}

}  // namespace
}  // namespace cairn
