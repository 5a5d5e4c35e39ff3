#include "base/failpoint.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <thread>

#include "absl/time/clock.h"
#include "base/test_directory.h"

namespace cairn {
namespace {

// In a process of its own, since the environment is read once. Its exit code, or minus the signal that ended it.
int InChild(const std::string& points, const std::string& once, const std::function<int()>& body) {
  const pid_t pid = fork();
  if (pid == 0) {
    setenv("CAIRN_FAILPOINTS", points.c_str(), 1);
    setenv("CAIRN_FAILPOINTS_ONCE", once.c_str(), 1);
    failpoints_armed = true;
    _exit(body());
  }
  int status = 0;
  waitpid(pid, &status, 0);
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

TEST(FailpointTest, NothingHappensUnlessItIsNamed) {
  EXPECT_TRUE(CAIRN_FAILPOINT("a").ok());
  EXPECT_EQ(InChild("b=kill", "", [] { return CAIRN_FAILPOINT("a").ok() ? 0 : 1; }), 0);
}

TEST(FailpointTest, KillsAtTheNthTime) {
  const auto pass = [](int times) {
    return [times] {
      for (int i = 0; i < times; ++i) CAIRN_FAILPOINT("a").IgnoreError();
      return 7;
    };
  };
  EXPECT_EQ(InChild("a=kill@3", "", pass(2)), 7);
  EXPECT_EQ(InChild("a=kill@3", "", pass(3)), -SIGKILL);
  EXPECT_EQ(InChild("b=error;a=kill", "", pass(1)), -SIGKILL);
}

TEST(FailpointTest, AThreadThatHangsLeavesTheOthersAlone) {
  EXPECT_EQ(InChild("a=hang", "",
                    [] {
                      std::thread([] {
                        CAIRN_FAILPOINT("a").IgnoreError();
                        _exit(1);
                      }).detach();
                      absl::SleepFor(absl::Milliseconds(50));  // Too short for a busy machine: then nothing is shown.
                      return 7;
                    }),
            7);
}

TEST(FailpointTest, FailsTheStep) {
  const auto codes = [] {
    return static_cast<int>(CAIRN_FAILPOINT("a").code()) * 16 + static_cast<int>(CAIRN_FAILPOINT("a").code());
  };
  const int unavailable = static_cast<int>(absl::StatusCode::kUnavailable);
  const int exhausted = static_cast<int>(absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(InChild("a=error", "", codes), unavailable * 16 + unavailable);
  EXPECT_EQ(InChild("a=full@2", "", codes), exhausted);
}

TEST(FailpointTest, OnceOfAllProcesses) {
  const TestDirectory directory;
  const auto body = [] { return CAIRN_FAILPOINT("a").ok() ? 0 : 1; };
  EXPECT_EQ(InChild("a=error", directory.path(), body), 1);
  EXPECT_EQ(InChild("a=error", directory.path(), body), 0);
  EXPECT_TRUE(std::filesystem::exists(directory / "a"));
}

TEST(FailpointTest, SaysWhatIsWrong) {
  for (const char* wrong : {"a", "a=", "=kill", "a=explode", "a=kill@0", "a=kill@x", "a=sleep:long"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(CheckFailpoints(wrong))) << wrong;
  }
  EXPECT_TRUE(CheckFailpoints("a=kill@2;b=sleep:5;c=stop;d=error;e=full;f=hang").ok());
}

}  // namespace
}  // namespace cairn
