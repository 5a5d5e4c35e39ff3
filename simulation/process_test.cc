#include "simulation/process.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace cairn {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ProcessTest : public ::testing::Test {
 protected:
  ProcessTest() : log_(absl::StrCat(::testing::TempDir(), "/process_test_", getpid(), ".log")) {
    std::filesystem::remove(log_);
  }
  ~ProcessTest() override { std::filesystem::remove(log_); }
  ProcessSpec Shell(const std::string& script) const { return {{"/bin/sh", "-c", script}, {{"WORD", "pebble"}}, log_}; }

  // Everything until the child closes its output.
  static std::vector<std::string> ReadAll(ChildProcess& child) {
    std::vector<std::string> lines;
    while (child.output() >= 0) {
      pollfd wait{child.output(), POLLIN, 0};
      poll(&wait, 1, -1);
      for (std::string& line : child.ReadLines()) lines.push_back(std::move(line));
    }
    return lines;
  }
  static int Wait(ChildProcess& child) {
    while (!child.ExitCode()) usleep(1000);
    return *child.ExitCode();
  }
  std::filesystem::path log_;
};

TEST_F(ProcessTest, GivesLinesAndExitCodeAndLogsBothStreams) {
  auto child = ChildProcess::Spawn(Shell("echo one; echo $WORD; echo trouble >&2; exit 3"));
  ASSERT_TRUE(child.ok()) << child.status();
  EXPECT_THAT(ReadAll(*child), ElementsAre("one", "pebble"));
  EXPECT_EQ(Wait(*child), 3);
  EXPECT_THAT(TailOf(log_, 10), HasSubstr("trouble"));
  EXPECT_THAT(TailOf(log_, 10), HasSubstr("pebble"));
}

TEST_F(ProcessTest, SaysWhatCannotBeRun) {
  const auto child = ChildProcess::Spawn({{"/nowhere/cairn-trainer"}, {}, log_});
  EXPECT_EQ(child.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(child.status().message(), HasSubstr("/nowhere/cairn-trainer"));
}

TEST_F(ProcessTest, WhatIsWrittenIsItsInput) {
  ProcessSpec spec = Shell("read a; read b; echo $b $a");
  spec.input = true;
  auto child = ChildProcess::Spawn(spec);
  ASSERT_TRUE(child.ok()) << child.status();
  EXPECT_TRUE(child->Write("one\ntwo\n").ok());
  EXPECT_THAT(ReadAll(*child), ElementsAre("two one"));
  EXPECT_EQ(Wait(*child), 0);
}

// Without a signal that would end this process.
TEST_F(ProcessTest, AChildThatHasEndedCannotBeWrittenTo) {
  ProcessSpec spec = Shell("exit 0");
  spec.input = true;
  auto child = ChildProcess::Spawn(spec);
  ASSERT_TRUE(child.ok()) << child.status();
  Wait(*child);
  EXPECT_EQ(child->Write("one\n").code(), absl::StatusCode::kUnavailable);
}

TEST_F(ProcessTest, TerminateKillsWhatIgnoresTheRequest) {
  auto child = ChildProcess::Spawn(Shell("trap '' TERM; echo ready; while true; do sleep 0.05; done"));
  ASSERT_TRUE(child.ok()) << child.status();
  pollfd wait{child->output(), POLLIN, 0};
  poll(&wait, 1, -1);
  child->Terminate(absl::Milliseconds(50));
  EXPECT_EQ(child->ExitCode(), 128 + SIGKILL);
}

TEST_F(ProcessTest, DestructionEndsTheChild) {
  pid_t pid = 0;
  {
    auto child = ChildProcess::Spawn(Shell("exec sleep 100"));
    ASSERT_TRUE(child.ok()) << child.status();
    pid = child->pid();
    EXPECT_EQ(kill(pid, 0), 0);
  }
  EXPECT_EQ(kill(pid, 0), -1);
}

// A parent that is killed cannot run destructors; the kernel ends the child.
TEST_F(ProcessTest, TheChildDiesWithItsParent) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const pid_t parent = fork();
  if (parent == 0) {
    auto child = ChildProcess::Spawn(Shell("exec sleep 100"));
    const pid_t pid = child.ok() ? child->pid() : 0;
    if (write(ends[1], &pid, sizeof pid) != sizeof pid) _exit(1);
    pause();
  }
  pid_t child = 0;
  ASSERT_EQ(read(ends[0], &child, sizeof child), static_cast<ssize_t>(sizeof child));
  ASSERT_GT(child, 0);
  kill(parent, SIGKILL);
  waitpid(parent, nullptr, 0);
  // The orphan belongs to another process now, which may not reap it: gone or a zombie are both dead.
  const auto dead = [child] {
    const auto stat = ReadFile(absl::StrCat("/proc/", child, "/stat"), 4096);
    return !stat.ok() || stat->find(") Z") != std::string::npos;
  };
  for (int i = 0; i < 1000 && !dead(); ++i) usleep(1000);
  EXPECT_TRUE(dead());
  close(ends[0]);
  close(ends[1]);
}

}  // namespace
}  // namespace cairn
