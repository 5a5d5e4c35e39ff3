// An agent and workers that have nothing to do, do nothing.
#include <gmock/gmock.h>
#include <sys/resource.h>

#include "absl/time/clock.h"
#include "tests/shared_store/puppet.h"

namespace cairn::testing {
namespace {

struct Usage {
  absl::Duration cpu;
  long wakes = 0;
};

Usage Used() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return {absl::DurationFromTimeval(usage.ru_utime) + absl::DurationFromTimeval(usage.ru_stime), usage.ru_nvcsw};
}

TEST(IdleTest, AnIdleAgentSleeps) {
  const TestDirectory directory;
  // The real clock; with a lease that is held, so that there is something that could run out.
  const auto store = OpenStore({.budget = 8 * kSlab, .spill_directory = directory / "spill"});
  const auto agent = StoreAgent::Start(store.get(), directory / "agent");
  ASSERT_TRUE(agent.ok()) << agent.status();
  Puppet first(directory / "agent"), second(directory / "agent");
  ASSERT_EQ(first.Ask("connect"), "1");
  ASSERT_EQ(second.Ask("connect"), "2");
  const std::string hex = first.Ask("create 10 a");
  ASSERT_EQ(first.Ask("seal " + hex), "");
  ASSERT_EQ(second.Ask("get " + hex), "10 same valid");

  const Usage before = Used();
  absl::SleepFor(absl::Seconds(1));
  const Usage after = Used();
  EXPECT_LT(after.cpu - before.cpu, absl::Milliseconds(5));
  EXPECT_LE(after.wakes - before.wakes, 3) << "somebody polls";
  EXPECT_EQ(second.Ask("read " + hex), "10 same valid");
}

}  // namespace
}  // namespace cairn::testing
