// One child process of a test: it cannot outlive the test.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace cairn::testing {

// For one thread: the kernel kills the child when the thread that spawned it dies. Destruction kills it as well.
class Child {
 public:
  // Standard output and error are appended to `log`.
  static absl::StatusOr<Child> Spawn(std::vector<std::string> arguments, const std::filesystem::path& log);
  Child(Child&& other) noexcept : pid_(std::exchange(other.pid_, -1)), exit_code_(other.exit_code_) {}
  Child& operator=(Child&& other) noexcept;
  ~Child() { Kill(); }

  pid_t pid() const { return pid_; }  // -1 once it was waited for.
  // 128 + the signal's number when a signal ended it; none while it runs.
  std::optional<int> ExitCode();
  // The exit code; DEADLINE_EXCEEDED when it still runs after `timeout`.
  absl::StatusOr<int> Wait(absl::Duration timeout);
  void Send(int signal);
  // SIGKILL, and waits until it is gone.
  void Kill();

 private:
  explicit Child(pid_t pid) : pid_(pid) {}
  pid_t pid_ = -1;
  std::optional<int> exit_code_;
};

// Runs a command to its end; what it printed, and its exit code.
struct Outcome {
  int exit_code = 0;
  std::string output;
};
absl::StatusOr<Outcome> RunCommand(std::vector<std::string> arguments, absl::Duration timeout = absl::Seconds(20));

}  // namespace cairn::testing
