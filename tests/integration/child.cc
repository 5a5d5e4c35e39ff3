#include "tests/integration/child.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/files.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "base/test_directory.h"

namespace cairn::testing {
namespace {

constexpr absl::Duration kPollInterval = absl::Milliseconds(2);

// Between fork and exec: async-signal-safe calls only.
[[noreturn]] void Execute(char* const* argv, int log, pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(127);  // The parent died before the call above.
  dup2(log, STDOUT_FILENO);
  dup2(log, STDERR_FILENO);
  execv(argv[0], argv);
  _exit(127);
}

}  // namespace

absl::StatusOr<Child> Child::Spawn(std::vector<std::string> arguments, const std::filesystem::path& log) {
  if (access(arguments[0].c_str(), X_OK) != 0) return ErrnoStatus(errno, "run", arguments[0]);
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  const UniqueFd fd(open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  if (!fd) return ErrnoStatus(errno, "open", log);
  const pid_t parent = getpid(), pid = fork();
  if (pid < 0) return ErrnoStatus(errno, "fork for", arguments[0]);
  if (pid == 0) Execute(argv.data(), fd.get(), parent);
  return Child(pid);
}

Child& Child::operator=(Child&& other) noexcept {
  if (this == &other) return *this;
  Kill();
  pid_ = std::exchange(other.pid_, -1);
  exit_code_ = other.exit_code_;
  return *this;
}

std::optional<int> Child::ExitCode() {
  int status = 0;
  if (pid_ > 0 && waitpid(pid_, &status, WNOHANG) == pid_) {
    exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    pid_ = -1;
  }
  return exit_code_;
}

absl::StatusOr<int> Child::Wait(absl::Duration timeout) {
  const absl::Time end = absl::Now() + timeout;
  while (absl::Now() < end) {
    if (const std::optional<int> code = ExitCode()) return *code;
    absl::SleepFor(kPollInterval);
  }
  return absl::DeadlineExceededError(
      absl::StrCat("process ", pid_, " still runs after ", absl::FormatDuration(timeout)));
}

void Child::Send(int signal) {
  if (pid_ > 0) kill(pid_, signal);
}

void Child::Kill() {
  if (pid_ <= 0) return;
  kill(pid_, SIGKILL);
  int status = 0;
  waitpid(pid_, &status, 0);
  exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  pid_ = -1;
}

absl::StatusOr<Outcome> RunCommand(std::vector<std::string> arguments, absl::Duration timeout) {
  const TestDirectory directory;
  const std::filesystem::path log = directory / "output";
  CAIRN_ASSIGN_OR_RETURN(Child child, Child::Spawn(std::move(arguments), log));
  Outcome outcome;
  CAIRN_ASSIGN_OR_RETURN(outcome.exit_code, child.Wait(timeout));
  CAIRN_ASSIGN_OR_RETURN(outcome.output, ReadFile(log, limits::kMiB));
  return outcome;
}

}  // namespace cairn::testing
