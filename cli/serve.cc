#include "cli/serve.h"

#include <semaphore.h>
#include <signal.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <csignal>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>

#include "base/status_macros.h"
#include "base/version.h"
#include "cli/outcome.h"
#include "config/yaml.h"
#include "proto/cairn/v1/config.pb.h"
#include "server/options.h"
#include "server/server.h"

namespace cairn {
namespace {

constexpr char kFooter[] =
    "Example:\n"
    "  cairn serve --config examples/federation.yaml\n"
    "  cairn serve --config examples/federation.yaml --print-config\n"
    "\n"
    "Clients connect to `listen`; `cairn status` and `cairn watch` show what a round waits for; metrics are on\n"
    "http://<metrics_listen>/metrics. SIGTERM or Ctrl-C stops the server; started again on the same data_dir it goes "
    "on\n"
    "with every acknowledged update. docs/operations.md explains every key of the file.\n";

struct Flags {
  std::string config;
  bool print_config = false;
  std::optional<std::uint32_t> workers;
};

// SIGINT and SIGTERM, from construction on. Handlers, and not sigwait, which needs that every thread blocks them:
// libraries start threads before main does.
class StopSignals {
 public:
  StopSignals() {
    sem_init(&came_, 0, 0);
    struct sigaction action {};
    action.sa_flags = SA_RESTART;  // Whatever else runs is not to see them.
    action.sa_handler = [](int signal) {
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
  static inline sem_t came_;
  static inline volatile std::sig_atomic_t which_ = 0;
};

void LogToStderr(const std::string& level) {
  spdlog::set_default_logger(spdlog::stderr_color_mt("cairn"));
  spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%e %^%l%$ %v");
  spdlog::set_level(spdlog::level::from_str(level));
  spdlog::flush_on(spdlog::level::info);
}

absl::Status Serve(const Flags& flags) {
  v1::ServerConfig config;
  CAIRN_RETURN_IF_ERROR(LoadServerConfig(flags.config, &config));
  if (flags.workers) config.set_workers(*flags.workers);
  CAIRN_ASSIGN_OR_RETURN(ServerOptions options, ResolveServerOptions(config));
  if (flags.print_config) {
    std::fputs(ToYaml(config).c_str(), stdout);
    return absl::OkStatus();
  }
  LogToStderr(options.log_level);
  StopSignals signals;
  CAIRN_ASSIGN_OR_RETURN(auto server, Server::Start(options));
  spdlog::info("cairn {} serves {} federation(s) on {} from {} ({}), metrics on {}", kVersion,
               options.federations.size(), server->address(), options.data_dir.string(),
               options.durable ? "durable" : "memory",
               server->metrics_address().empty() ? "nothing" : server->metrics_address());
  spdlog::info("stopping on {}", signals.Wait() == SIGINT ? "SIGINT" : "SIGTERM");
  return absl::OkStatus();
}

}  // namespace

void AddServe(CLI::App& app) {
  CLI::App* command = app.add_subcommand("serve", "Run a server: rounds, uploads, aggregation, publishing");
  auto flags = std::make_shared<Flags>();
  command->add_option("-c,--config", flags->config, "YAML file of the server")->required();
  command->add_option("-w,--workers", flags->workers,
                      "Processes that add up updates while others still come in; 0: none (the file's `workers`)");
  command->add_flag("--print-config", flags->print_config, "Print the effective configuration and exit");
  command->footer(kFooter);
  command->callback([flags] { Conclude("serve", Serve(*flags)); });
}

}  // namespace cairn
