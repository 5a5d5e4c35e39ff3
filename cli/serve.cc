#include "cli/serve.h"

#include <memory>
#include <optional>
#include <string>

#include "base/status_macros.h"
#include "cli/outcome.h"
#include "cli/run_server.h"
#include "proto/cairn/v1/config.pb.h"
#include "server/options.h"

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
    "with every acknowledged update. docs/operations.md explains every key of the file.\n"
    "\n"
    "--role root takes no clients: gateways of other processes do, which connect to `node_listen`. `cairn gateway "
    "--help`\n"
    "shows a root with two of them.\n";

struct Flags {
  std::string config;
  std::string role = "all";
  bool print_config = false;
  std::optional<std::uint32_t> workers;
};

absl::Status Serve(const Flags& flags) {
  v1::ServerConfig config;
  YamlPlaces places;
  CAIRN_RETURN_IF_ERROR(LoadServerConfig(flags.config, &config, &places));
  if (flags.workers) {
    config.set_workers(*flags.workers);
    places.of.erase("workers");
  }
  return RunServer(config, flags.role == "root" ? Role::kRoot : Role::kAll, flags.print_config, places);
}

}  // namespace

void AddServe(CLI::App& app) {
  CLI::App* command = app.add_subcommand("serve", "Run a server: rounds, uploads, aggregation, publishing");
  auto flags = std::make_shared<Flags>();
  command->add_option("-c,--config", flags->config, "YAML file of the server")->required();
  command->add_option("-w,--workers", flags->workers,
                      "Processes that add up updates while others still come in; 0: none (the file's `workers`)");
  command->add_option("--role", flags->role, "all: clients connect here; root: to gateways")
      ->check(CLI::IsMember({"all", "root"}))
      ->capture_default_str();
  command->add_flag("--print-config", flags->print_config, "Print the effective configuration and exit");
  command->footer(kFooter);
  command->callback([flags] { Conclude("serve", Serve(*flags)); });
}

}  // namespace cairn
