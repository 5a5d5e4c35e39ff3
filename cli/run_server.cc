#include "cli/run_server.h"

#include <semaphore.h>
#include <signal.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/failpoint.h"
#include "base/status_macros.h"
#include "base/version.h"
#include "config/yaml.h"
#include "server/server.h"

namespace cairn {
namespace {

// SIGINT and SIGTERM, from construction on. Handlers, and not sigwait, which needs that every thread blocks them:
// libraries start threads before main does. A later one ends the process: the first waits for threads, and one that
// hangs, in a disk that does not answer, never comes to its end. What stops a process may tell it twice, though, to
// itself and to its group (timeout, a shell's Ctrl-C): what comes within a second is the same.
class StopSignals {
 public:
  StopSignals() {
    sem_init(&came_, 0, 0);
    struct sigaction action {};
    action.sa_flags = SA_RESTART;  // Whatever else runs is not to see them.
    action.sa_handler = [](int signal) {
      if (which_ != 0) return EndIfLater(signal);
      first_ = Now();
      which_ = signal;
      sem_post(&came_);
    };
    sigaction(SIGINT, &action, nullptr);
    sigaction(SIGTERM, &action, nullptr);
  }
  int Wait() {
    while (sem_wait(&came_) != 0) {
    }
    return which_;
  }

 private:
  // As a shell says of what a signal ended. Async-signal-safe calls only.
  static void EndIfLater(int signal) {
    if (Now() <= first_ + kSameSeconds) return;
    constexpr char kText[] = "cairn: told to stop once more, and ends at once\n";
    [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, kText, sizeof(kText) - 1);
    _exit(128 + signal);
  }

  static std::sig_atomic_t Now() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<std::sig_atomic_t>(now.tv_sec);
  }

  static constexpr int kSameSeconds = 1;
  static inline volatile std::sig_atomic_t first_ = 0;  // Seconds since boot.
  static inline sem_t came_;
  static inline volatile std::sig_atomic_t which_ = 0;
};

void LogToStderr(const std::string& level) {
  spdlog::set_default_logger(spdlog::stderr_color_mt("cairn"));
  spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%e %^%l%$ %v");
  spdlog::set_level(spdlog::level::from_str(level));
  spdlog::flush_on(spdlog::level::info);
}

// A typo must not let a test pass, nor a server run on with what a test has left in its environment unsaid.
absl::Status TellFailpoints() {
  const char* const text = std::getenv("CAIRN_FAILPOINTS");
  if (text == nullptr || *text == '\0') return absl::OkStatus();
  CAIRN_RETURN_IF_ERROR(CheckFailpoints(text));
  spdlog::warn("failpoints are armed, which make this process fail on purpose: CAIRN_FAILPOINTS={}", text);
  return absl::OkStatus();
}

// What it does, and where.
std::string TextOf(const Server& server, const ServerOptions& options) {
  if (options.role == Role::kGateway) {
    std::string text = absl::StrCat("takes clients on ", server.address(), " for ", options.root);
    if (!server.peer_address().empty()) absl::StrAppend(&text, ", lets nodes read on ", server.peer_address());
    return text;
  }
  std::string text = absl::StrCat("serves ", options.federations.size(), " federation(s)");
  if (!server.address().empty()) absl::StrAppend(&text, " on ", server.address());
  if (!server.node_address().empty()) absl::StrAppend(&text, ", to nodes on ", server.node_address());
  return text;
}

}  // namespace

absl::Status RunServer(v1::ServerConfig config, Role role, bool print, const YamlPlaces& places) {
  CAIRN_ASSIGN_OR_RETURN(ServerOptions options, ResolveServerOptions(config, role, places));
  if (print) {
    CAIRN_RETURN_IF_ERROR(FillPublish(options, config));
    std::fputs(ToYaml(config).c_str(), stdout);
    return absl::OkStatus();
  }
  LogToStderr(options.log_level);
  CAIRN_RETURN_IF_ERROR(TellFailpoints());
  StopSignals signals;
  CAIRN_ASSIGN_OR_RETURN(auto server, Server::Start(options));
  spdlog::info("cairn {} {} from {} ({}), {}", kVersion, TextOf(*server, options), options.data_dir.string(),
               options.durable ? "durable" : "memory",
               server->metrics_address().empty() ? "no metrics" : "metrics on " + server->metrics_address());
  spdlog::info("stopping on {}", signals.Wait() == SIGINT ? "SIGINT" : "SIGTERM");
  return absl::OkStatus();
}

}  // namespace cairn
