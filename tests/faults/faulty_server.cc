#include "tests/faults/faulty_server.h"

#include <csignal>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "base/files.h"
#include "base/limits.h"
#include "base/status_macros.h"

namespace cairn::faults {
namespace {

namespace fs = std::filesystem;

constexpr absl::Duration kStartTimeout = absl::Seconds(60);  // On a loaded machine.
constexpr int kKilled = 128 + SIGKILL;

}  // namespace

FaultyServer::FaultyServer(fs::path directory, const std::string& config, int workers)
    : directory_(std::move(directory)), process_(directory_, config), workers_(workers) {}

absl::Status FaultyServer::Launch() {
  ++generation_;
  process_.set_arguments({"--workers", absl::StrCat(workers_)});
  const fs::path fired = directory_ / absl::StrCat("fired-", arming_);
  fs::create_directories(fired);
  std::vector<std::string> environment;
  if (!failpoints_.empty()) {
    environment = {absl::StrCat("CAIRN_FAILPOINTS=", failpoints_),
                   absl::StrCat("CAIRN_FAILPOINTS_ONCE=", fired.string())};
  }
  process_.set_environment(std::move(environment));
  return process_.Launch();
}

absl::Status FaultyServer::Start() {
  CAIRN_RETURN_IF_ERROR(Launch());
  return AwaitReady();
}

absl::Status FaultyServer::AwaitReady() {
  const absl::Time end = absl::Now() + kStartTimeout;
  while (!fs::exists(data_dir() / "endpoint")) {
    CAIRN_RETURN_IF_ERROR(Tend());
    if (absl::Now() > end) return absl::DeadlineExceededError("the server does not start");
    absl::SleepFor(absl::Milliseconds(2));
  }
  return absl::OkStatus();
}

absl::Status FaultyServer::KillAndLaunch() {
  process_.Kill();
  return Launch();
}

absl::Status FaultyServer::TerminateAndLaunch() {
  CAIRN_RETURN_IF_ERROR(Stop());
  return Launch();
}

absl::Status FaultyServer::RestartWith(const std::string& failpoints) {
  failpoints_ = failpoints;
  ++arming_;
  process_.Kill();
  return Start();
}

absl::Status FaultyServer::RestartWith(int workers) {
  workers_ = workers;
  return TerminateAndLaunch();
}

absl::Status FaultyServer::Tend() {
  const std::optional<int> code = process_.child().ExitCode();
  if (!code) return absl::OkStatus();
  if (*code == kKilled && !failpoints_.empty()) return Launch();
  return absl::InternalError(absl::StrCat("the server ended by itself with ", *code));
}

bool FaultyServer::Fired(const std::string& failpoint) const {
  return fs::exists(directory_ / absl::StrCat("fired-", arming_) / failpoint);
}

bool FaultyServer::AllFired() const {
  for (const absl::string_view entry : absl::StrSplit(failpoints_, ';', absl::SkipEmpty())) {
    if (!Fired(std::string(entry.substr(0, entry.find('='))))) return false;
  }
  return true;
}

absl::Status FaultyServer::Stop() {
  CAIRN_RETURN_IF_ERROR(AwaitReady());  // It may have been started a moment ago.
  CAIRN_ASSIGN_OR_RETURN(const int code, process_.Terminate());
  if (code == 0 || (code == kKilled && !failpoints_.empty())) return absl::OkStatus();
  return absl::InternalError(absl::StrCat("SIGTERM: expected the server to exit with 0, got ", code));
}

std::set<pid_t> FaultyServer::Workers() {
  std::set<pid_t> workers;
  std::error_code gone;
  const fs::path tasks = absl::StrCat("/proc/", process_.child().pid(), "/task");
  for (fs::directory_iterator task(tasks, gone), end; !gone && task != end; task.increment(gone)) {
    const auto children = ReadFile(task->path() / "children", limits::kMiB);
    for (const absl::string_view text : absl::StrSplit(children.value_or(""), ' ', absl::SkipEmpty())) {
      pid_t pid = 0;
      if (!absl::SimpleAtoi(text, &pid)) continue;
      const auto command = ReadFile(absl::StrCat("/proc/", pid, "/cmdline"), limits::kMiB);
      if (command.ok() && absl::StrContains(*command, "worker")) workers.insert(pid);
    }
  }
  return workers;
}

}  // namespace cairn::faults
