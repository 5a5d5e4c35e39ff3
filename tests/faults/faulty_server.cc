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

FaultyServer::FaultyServer(const ServerRole& role, fs::path directory, const std::string& config, int workers)
    : role_(role),
      directory_(std::move(directory)),
      process_(directory_, config, role.command, role.host),
      workers_(workers) {}

absl::Status FaultyServer::Launch() {
  launch_at_.reset();
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

void FaultyServer::LaunchIn(absl::Duration down) {
  ++generation_;
  launch_at_ = absl::Now() + down;
}

absl::Status FaultyServer::Start() {
  CAIRN_RETURN_IF_ERROR(Launch());
  return AwaitReady();
}

absl::Status FaultyServer::AwaitReady() {
  const absl::Time end = absl::Now() + kStartTimeout;
  while (true) {
    CAIRN_RETURN_IF_ERROR(Tend());
    if (!launch_at_ && fs::exists(data_dir() / "endpoint")) return absl::OkStatus();
    if (absl::Now() > end) return absl::DeadlineExceededError(Label("does not start"));
    absl::SleepFor(absl::Milliseconds(2));
  }
}

void FaultyServer::Kill(absl::Duration down) {
  process_.child().Kill();
  LaunchIn(down);
}

absl::Status FaultyServer::Terminate(absl::Duration down) {
  CAIRN_RETURN_IF_ERROR(Stop());
  LaunchIn(down);
  return absl::OkStatus();
}

absl::Status FaultyServer::RestartWith(const std::string& failpoints, absl::Duration down) {
  failpoints_ = failpoints;
  down_ = down;
  ++arming_;
  Kill(absl::ZeroDuration());
  return AwaitReady();
}

absl::Status FaultyServer::RestartWith(int workers) {
  workers_ = workers;
  return Terminate(absl::ZeroDuration());
}

absl::Status FaultyServer::Tend() {
  if (launch_at_) return absl::Now() < *launch_at_ ? absl::OkStatus() : Launch();
  const std::optional<int> code = process_.child().ExitCode();
  if (!code) return absl::OkStatus();
  if (*code != kKilled || failpoints_.empty()) {
    return absl::InternalError(Label(absl::StrCat("ended by itself with ", *code)));
  }
  LaunchIn(down_);
  return absl::OkStatus();
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
  return absl::InternalError(Label(absl::StrCat("SIGTERM: expected exit code 0, got ", code)));
}

std::string FaultyServer::Label(const std::string& what) const {
  return absl::StrCat(role_.name, role_.name.empty() || what.empty() ? "" : " ", what);
}

bool FaultyServer::Said(const std::string& text) const { return absl::StrContains(process_.Log(), text); }

std::set<pid_t> FaultyServer::Workers() {
  std::set<pid_t> workers;
  std::error_code gone;
  const fs::path tasks = absl::StrCat("/proc/", pid(), "/task");
  for (fs::directory_iterator task(tasks, gone), end; !gone && task != end; task.increment(gone)) {
    const auto children = ReadFile(task->path() / "children", limits::kMiB);
    for (const absl::string_view text : absl::StrSplit(children.value_or(""), ' ', absl::SkipEmpty())) {
      pid_t child = 0;
      if (!absl::SimpleAtoi(text, &child)) continue;
      const auto command = ReadFile(absl::StrCat("/proc/", child, "/cmdline"), limits::kMiB);
      if (command.ok() && absl::StrContains(*command, "worker")) workers.insert(child);
    }
  }
  return workers;
}

}  // namespace cairn::faults
