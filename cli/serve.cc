#include "cli/serve.h"

#include <pthread.h>
#include <signal.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdio>
#include <memory>
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
};

// Before any thread starts, so that all of them leave the signals to sigwait.
sigset_t BlockStopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

void LogToStderr(const std::string& level) {
  spdlog::set_default_logger(spdlog::stderr_color_mt("cairn"));
  spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%e %^%l%$ %v");
  spdlog::set_level(spdlog::level::from_str(level));
  spdlog::flush_on(spdlog::level::info);
}

absl::Status Serve(const Flags& flags) {
  v1::ServerConfig config;
  CAIRN_RETURN_IF_ERROR(LoadServerConfig(flags.config, &config));
  CAIRN_ASSIGN_OR_RETURN(ServerOptions options, ResolveServerOptions(config));
  if (flags.print_config) {
    std::fputs(ToYaml(config).c_str(), stdout);
    return absl::OkStatus();
  }
  LogToStderr(options.log_level);
  const sigset_t signals = BlockStopSignals();
  CAIRN_ASSIGN_OR_RETURN(auto server, Server::Start(options));
  spdlog::info("cairn {} serves {} federation(s) on {} from {} ({}), metrics on {}", kVersion,
               options.federations.size(), server->address(), options.data_dir.string(),
               options.durable ? "durable" : "memory",
               server->metrics_address().empty() ? "nothing" : server->metrics_address());
  int signal = 0;
  sigwait(&signals, &signal);
  spdlog::info("stopping on {}", signal == SIGINT ? "SIGINT" : "SIGTERM");
  return absl::OkStatus();
}

}  // namespace

void AddServe(CLI::App& app) {
  CLI::App* command = app.add_subcommand("serve", "Run a server: rounds, uploads, aggregation, publishing");
  auto flags = std::make_shared<Flags>();
  command->add_option("-c,--config", flags->config, "YAML file of the server")->required();
  command->add_flag("--print-config", flags->print_config, "Print the effective configuration and exit");
  command->footer(kFooter);
  command->callback([flags] { Conclude("serve", Serve(*flags)); });
}

}  // namespace cairn
