#include "base/worker_pool.h"

#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace cairn {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

TEST(WorkerPoolTest, FinishesWhatIsQueued) {
  int done = 0;
  {
    WorkerPool pool(1);
    for (int i = 0; i < 100; ++i) pool.Run([&] { ++done; });
  }
  EXPECT_EQ(done, 100);
}

TEST(WorkerPoolTest, RunsThingsWhenTheyAreDue) {
  const auto start = std::chrono::steady_clock::now();
  std::string order;
  std::promise<void> last;
  WorkerPool pool(1);
  pool.RunAfter(milliseconds(20), [&] {
    order += 'c';
    last.set_value();
  });
  pool.RunAfter(milliseconds(10), [&] { order += 'b'; });
  pool.Run([&] { order += 'a'; });
  last.get_future().wait();
  EXPECT_EQ(order, "abc");
  EXPECT_GE(std::chrono::steady_clock::now() - start, milliseconds(20));
}

TEST(WorkerPoolTest, WhatIsDueLaterHoldsNobodyUp) {
  std::promise<void> now;
  WorkerPool pool(1);
  pool.RunAfter(hours(1), [] {});
  pool.Run([&] { now.set_value(); });
  now.get_future().wait();
}

// Whoever slept until it is due may have been given something that takes long.
TEST(WorkerPoolTest, WhatIsDueWaitsForNoOtherTask) {
  std::promise<void> due;
  const auto ran = due.get_future().share();
  WorkerPool pool(2);
  pool.RunAfter(milliseconds(20), [&] { due.set_value(); });
  pool.Run([] {});
  pool.Run([ran] { ran.wait(); });
  ran.wait();
}

TEST(WorkerPoolTest, DropsWhatIsNotDue) {
  bool ran = false;
  auto held = std::make_shared<int>();
  const std::weak_ptr<int> watch = held;
  std::optional<WorkerPool> pool(std::in_place, 2);
  pool->RunAfter(hours(1), [&ran, held = std::move(held)] { ran = true; });
  pool.reset();
  EXPECT_FALSE(ran);
  EXPECT_TRUE(watch.expired());
}

}  // namespace
}  // namespace cairn
