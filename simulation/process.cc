#include "simulation/process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

constexpr std::size_t kLogBytesMax = std::size_t{64} << 20;

std::vector<std::string> EnvironmentOf(const ProcessSpec& spec) {
  std::vector<std::string> out;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const bool replaced = std::any_of(spec.environment.begin(), spec.environment.end(), [&](const auto& variable) {
      return absl::StartsWith(*entry, variable.first + "=");
    });
    if (!replaced) out.emplace_back(*entry);
  }
  for (const auto& [name, value] : spec.environment) out.push_back(name + "=" + value);
  return out;
}

std::vector<char*> Pointers(std::vector<std::string>& strings) {
  std::vector<char*> out;
  for (std::string& string : strings) out.push_back(string.data());
  out.push_back(nullptr);
  return out;
}

struct Pipe {
  UniqueFd read, write;
};
// A socket, not a pipe: writing to a child that has ended can then be asked not to end this process as well.
absl::StatusOr<Pipe> MakeInput() {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return ErrnoStatus(errno, "open", "a socket");
  return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}
absl::StatusOr<Pipe> MakePipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return ErrnoStatus(errno, "open", "a pipe");
  return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

// In the child, between fork and exec: async-signal-safe calls only. Tells the parent the error when exec fails.
[[noreturn]] void Execute(char* const* argv, char* const* envp, int input, int output, int log, int failure,
                          pid_t parent) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(127);  // The parent died before the call above.
  dup2(input >= 0 ? input : open("/dev/null", O_RDONLY), STDIN_FILENO);
  dup2(output, STDOUT_FILENO);
  dup2(log, STDERR_FILENO);
  execve(argv[0], argv, envp);
  const int error = errno;
  [[maybe_unused]] const ssize_t written = write(failure, &error, sizeof error);
  _exit(127);
}

int CodeOf(int wait_status) { return WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status); }

}  // namespace

ChildProcess::ChildProcess(pid_t pid, UniqueFd input, UniqueFd output, UniqueFd log)
    : pid_(pid), input_(std::move(input)), output_(std::move(output)), log_(std::move(log)) {}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      input_(std::move(other.input_)),
      output_(std::move(other.output_)),
      log_(std::move(other.log_)),
      partial_(std::move(other.partial_)),
      exit_code_(other.exit_code_) {}

ChildProcess::~ChildProcess() { Terminate(); }

absl::StatusOr<ChildProcess> ChildProcess::Spawn(const ProcessSpec& spec) {
  std::vector<std::string> arguments = spec.arguments, environment = EnvironmentOf(spec);
  const std::vector<char*> argv = Pointers(arguments), envp = Pointers(environment);
  UniqueFd log(open(spec.log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  if (!log) return ErrnoStatus(errno, "open", spec.log);
  Pipe input;
  if (spec.input) {
    CAIRN_ASSIGN_OR_RETURN(input, MakeInput());
  }
  CAIRN_ASSIGN_OR_RETURN(Pipe output, MakePipe());
  CAIRN_ASSIGN_OR_RETURN(Pipe failure, MakePipe());
  const pid_t parent = getpid(), pid = fork();
  if (pid < 0) return ErrnoStatus(errno, "fork for", spec.arguments[0]);
  if (pid == 0) {
    Execute(argv.data(), envp.data(), input.read.get(), output.write.get(), log.get(), failure.write.get(), parent);
  }
  failure.write.Reset();
  int error = 0;
  if (read(failure.read.get(), &error, sizeof error) > 0) {  // Nothing: exec succeeded and closed the pipe.
    waitpid(pid, nullptr, 0);
    return ErrnoStatus(error, "run", spec.arguments[0]);
  }
  fcntl(output.read.get(), F_SETFL, O_NONBLOCK);
  return ChildProcess(pid, std::move(input.write), std::move(output.read), std::move(log));
}

absl::Status ChildProcess::Write(absl::string_view text) {
  while (!text.empty()) {
    const ssize_t sent = send(input_.get(), text.data(), text.size(), MSG_NOSIGNAL);
    if (sent >= 0) {
      text.remove_prefix(static_cast<std::size_t>(sent));
    } else if (errno != EINTR) {
      return absl::UnavailableError(absl::StrCat("write to process ", pid_, ": ", std::strerror(errno)));
    }
  }
  return absl::OkStatus();
}

std::vector<std::string> ChildProcess::ReadLines() {
  char buffer[16 * 1024];
  while (output_) {
    const ssize_t bytes = read(output_.get(), buffer, sizeof buffer);
    if (bytes > 0) {
      partial_.append(buffer, static_cast<std::size_t>(bytes));
      [[maybe_unused]] const ssize_t logged = write(log_.get(), buffer, static_cast<std::size_t>(bytes));
    } else if (bytes == 0) {
      output_.Reset();  // The child closed it.
    } else if (errno != EINTR) {
      break;
    }
  }
  std::vector<std::string> lines = absl::StrSplit(partial_, '\n');
  partial_ = std::move(lines.back());
  lines.pop_back();
  return lines;
}

std::optional<int> ChildProcess::ExitCode() {
  int status = 0;
  if (pid_ > 0 && waitpid(pid_, &status, WNOHANG) == pid_) {
    exit_code_ = CodeOf(status);
    pid_ = -1;
  }
  return exit_code_;
}

void ChildProcess::Terminate(absl::Duration grace) {
  if (pid_ <= 0 || ExitCode()) return;
  kill(pid_, SIGTERM);
  const absl::Time end = absl::Now() + grace;
  while (!ExitCode() && absl::Now() < end) absl::SleepFor(absl::Milliseconds(10));
  if (exit_code_) return;
  kill(pid_, SIGKILL);
  int status = 0;
  waitpid(pid_, &status, 0);
  exit_code_ = CodeOf(status);
  pid_ = -1;
}

std::string TailOf(const std::filesystem::path& file, int lines) {
  const absl::StatusOr<std::string> text = ReadFile(file, kLogBytesMax);
  if (!text.ok()) return "";
  std::vector<absl::string_view> all = absl::StrSplit(*text, '\n', absl::SkipEmpty());
  if (all.size() > static_cast<std::size_t>(lines)) all.erase(all.begin(), all.end() - lines);
  return absl::StrJoin(all, "\n");
}

}  // namespace cairn
