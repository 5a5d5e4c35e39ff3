#include "server/tree/worker_processes.h"

#include <poll.h>
#include <spawn.h>
#include <spdlog/spdlog.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/clock.h"

extern char** environ;

namespace cairn::tree {
namespace {

constexpr absl::Duration kPauseMin = absl::Milliseconds(100), kPauseMax = absl::Seconds(5);

// Debian 12's C library has no wrappers for some of these.
int OpenPid(pid_t pid) { return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)); }
void SendTo(int handle, int signal) { ::syscall(SYS_pidfd_send_signal, handle, signal, nullptr, 0); }

std::string HowItEnded(int status) {
  if (WIFSIGNALED(status)) return absl::StrCat("signal ", WTERMSIG(status));
  return absl::StrCat("exit code ", WEXITSTATUS(status));
}

}  // namespace

absl::StatusOr<std::unique_ptr<WorkerProcesses>> WorkerProcesses::Start(Options options) {
  UniqueFd stop(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!stop) return ErrnoStatus(errno, "make", "eventfd");
  return std::unique_ptr<WorkerProcesses>(new WorkerProcesses(std::move(options), std::move(stop)));
}

WorkerProcesses::WorkerProcesses(Options options, UniqueFd stop)
    : options_(std::move(options)), stop_(std::move(stop)), processes_(options_.count), thread_([this] { Run(); }) {}

WorkerProcesses::~WorkerProcesses() {
  ::eventfd_write(stop_.get(), 1);
  thread_.join();
}

// The kernel ends a worker when the thread that started it ends: this one lives as long as the object.
void WorkerProcesses::Run() {
  while (true) {
    StartDue();
    AwaitEvent();
    eventfd_t stop = 0;
    if (::eventfd_read(stop_.get(), &stop) == 0) break;
  }
  for (Process& process : processes_) {
    if (process.running()) SendTo(process.handle.get(), SIGKILL);
  }
  for (Process& process : processes_) {
    if (process.running()) ::waitpid(process.id.pid, nullptr, 0);
  }
}

void WorkerProcesses::StartDue() {
  const absl::Time now = SteadyClock().Now();
  for (Process& process : processes_) {
    if (!process.running() && process.start_at <= now) Spawn(process);
  }
}

void WorkerProcesses::Spawn(Process& process) {
  std::vector<char*> arguments;
  for (const std::string& argument : options_.command) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  // For those who look at processes: /proc/self/exe, which stays the same program when its file is replaced, says
  // nothing.
  std::error_code none;
  std::string shown = std::filesystem::read_symlink(options_.command.front(), none).native();
  if (!none) arguments.front() = shown.data();
  process.started = SteadyClock().Now();
  pid_t pid = 0;
  posix_spawnattr_t apart;  // Ctrl-C is for the server, which ends them.
  posix_spawnattr_init(&apart);
  posix_spawnattr_setflags(&apart, POSIX_SPAWN_SETPGROUP);
  const int error = ::posix_spawn(&pid, options_.command.front().c_str(), nullptr, &apart, arguments.data(), environ);
  posix_spawnattr_destroy(&apart);
  UniqueFd handle(error == 0 ? OpenPid(pid) : -1);
  const absl::StatusOr<ProcessId> id = handle ? FindProcess(pid) : absl::NotFoundError("it did not start");
  if (handle && id.ok()) {
    std::lock_guard lock(mutex_);
    process.id = *id;
    process.handle = std::move(handle);
    return;
  }
  spdlog::error("cannot start a worker: {}", strerror(error != 0 ? error : errno));
  if (error == 0) {
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
  }
  process.pause = std::min(kPauseMax, std::max(kPauseMin, process.pause * 2));
  process.start_at = process.started + process.pause;
}

int WorkerProcesses::PauseMillis() const {
  absl::Time next = absl::InfiniteFuture();
  for (const Process& process : processes_) {
    if (!process.running()) next = std::min(next, process.start_at);
  }
  if (next == absl::InfiniteFuture()) return -1;
  return static_cast<int>(std::max<std::int64_t>(0, absl::ToInt64Milliseconds(next - SteadyClock().Now()) + 1));
}

void WorkerProcesses::AwaitEvent() {
  std::vector<pollfd> waiting{{stop_.get(), POLLIN, 0}};
  std::vector<Process*> running;
  for (Process& process : processes_) {
    if (!process.running()) continue;
    waiting.push_back({process.handle.get(), POLLIN, 0});
    running.push_back(&process);
  }
  if (::poll(waiting.data(), waiting.size(), PauseMillis()) <= 0) return;
  for (std::size_t i = 0; i < running.size(); ++i) {
    if (waiting[i + 1].revents != 0) Reap(*running[i]);
  }
}

void WorkerProcesses::Reap(Process& process) {
  int status = 0;
  ::waitpid(process.id.pid, &status, 0);
  const absl::Time now = SteadyClock().Now();
  const bool lived = now - process.started > options_.lives_long;
  process.pause = lived ? absl::ZeroDuration() : std::min(kPauseMax, std::max(kPauseMin, process.pause * 2));
  process.start_at = now + process.pause;
  spdlog::warn("worker {} ended with {}; another starts in {}", process.id.pid, HowItEnded(status),
               absl::FormatDuration(process.pause));
  const ProcessId ended = process.id;
  {
    std::lock_guard lock(mutex_);
    process.handle.Reset();
  }
  options_.on_ended(ended);
}

void WorkerProcesses::Kill(const ProcessId& id) {
  std::lock_guard lock(mutex_);
  for (const Process& process : processes_) {
    if (process.running() && process.id == id) SendTo(process.handle.get(), SIGKILL);
  }
}

}  // namespace cairn::tree
