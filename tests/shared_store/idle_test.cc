// An agent and workers that have nothing to do, do nothing.
#include <gmock/gmock.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "base/files.h"
#include "base/limits.h"
#include "tests/shared_store/puppet.h"

namespace cairn::testing {
namespace {

// What a process did so far.
struct Usage {
  long cpu_ticks = 0;
  long waits = 0;  // Of its first thread, for another process: of this process, of all threads.
};

// `field` from 1, as in proc(5).
long StatField(pid_t pid, std::size_t field) {
  const auto stat = ReadFile(absl::StrCat("/proc/", pid, "/stat"), limits::kMiB);
  EXPECT_TRUE(stat.ok()) << stat.status();
  const std::vector<std::string> behind_name = absl::StrSplit(stat->substr(stat->rfind(')') + 2), ' ');
  return std::strtol(behind_name.at(field - 3).c_str(), nullptr, 10);
}

long WaitsOf(pid_t pid) {
  const std::string path = absl::StrCat("/proc/", pid, "/status");
  const std::string status = ReadFile(path, limits::kMiB).value_or("");
  constexpr absl::string_view kName = "\nvoluntary_ctxt_switches:";
  const std::size_t at = status.find(kName.data());
  EXPECT_NE(at, std::string::npos) << path;
  return at == std::string::npos ? 0 : std::strtol(status.c_str() + at + kName.size(), nullptr, 10);
}

Usage Used(pid_t pid) {
  const long ticks = StatField(pid, 14) + StatField(pid, 15);
  if (pid != ::getpid()) return {ticks, WaitsOf(pid)};
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return {ticks, usage.ru_nvcsw};
}

void ExpectIdle(const Usage& before, const Usage& after) {
  EXPECT_LE(after.cpu_ticks - before.cpu_ticks, 1);
  EXPECT_LE(after.waits - before.waits, 3) << "somebody polls";
}

TEST(IdleTest, AnIdleAgentAndItsWorkersSleep) {
#ifdef __SANITIZE_THREAD__
  GTEST_SKIP() << "its runtime has a thread that wakes ten times a second";
#endif
  const TestDirectory directory;
  // The real clock; with a lease that is held, so that there is something that could run out.
  const auto store =
      OpenStore({.budget = 8 * kSlab, .lease_time = absl::Minutes(10), .spill_directory = directory / "spill"});
  const auto agent = StoreAgent::Start(store.get(), directory / "agent");
  ASSERT_TRUE(agent.ok()) << agent.status();
  Puppet first(directory / "agent"), second(directory / "agent");
  ASSERT_EQ(first.Ask("connect"), "1");
  ASSERT_EQ(second.Ask("connect"), "2");
  const std::string hex = first.Ask("create 10 a");
  ASSERT_EQ(first.Ask("seal " + hex), "");
  ASSERT_EQ(second.Ask("get " + hex), "10 same valid");

  absl::SleepFor(absl::Seconds(1));  // Whoever had something to do has done it.
  const pid_t self = ::getpid(), worker = second.process().pid();
  const Usage agent_before = Used(self), worker_before = Used(worker);
  absl::SleepFor(absl::Seconds(1));
  ExpectIdle(agent_before, Used(self));
  ExpectIdle(worker_before, Used(worker));
  EXPECT_EQ(second.Ask("read " + hex), "10 same valid");
}

}  // namespace
}  // namespace cairn::testing
