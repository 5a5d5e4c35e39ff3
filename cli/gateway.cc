#include "cli/gateway.h"

#include <cstdint>
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
    "Example: a root and two gateways on one machine; clients connect to 127.0.0.1:7070 or 127.0.0.2:7070.\n"
    "  cairn serve --role root --config examples/federation.yaml\n"
    "  cairn gateway --root 127.0.0.1:7072 --node n1 --listen 127.0.0.1:7070 --data-dir out/n1\n"
    "  cairn gateway --root 127.0.0.1:7072 --node n2 --listen 127.0.0.2:7070 --data-dir out/n2\n"
    "\n"
    "127.0.0.1:7072 is the root's `node_listen`. What clients send stays in the gateway's data directory. To publish\n"
    "the round, the root asks for the sum of it where the combine rule adds up (mean, ffa, zero_pad, dense_mean,\n"
    "core_mean). Where updates are looked at or matrices decomposed it has all nodes combine some of the modules "
    "each,\n"
    "if they have --peer-listen (127.0.0.1:7073, say: there other nodes read parts of this one's updates, and do\n"
    "nothing else). Otherwise it fetches the updates, and so it does for `stack` by `examples` alone, whose version "
    "is\n"
    "all of them side by side. --workers do both in processes of their own. An acknowledged update survives the death\n"
    "of any process. When the root is away, clients are told to try again; when a node is away, `on_node_loss` of the\n"
    "federation says what becomes of its updates.\n"
    "With --config, a YAML file may set what flags do not: TLS, memory, durability. docs/operations.md, "
    "docs/nodes.md.\n";

struct Flags {
  std::string config, root, node, listen, client_address, zone, capacity, peer_listen, peer_address, metrics_listen,
      data_dir;
  bool print_config = false;
  std::optional<std::uint32_t> workers;
};

absl::Status RunGateway(const Flags& flags) {
  v1::ServerConfig config;
  YamlPlaces places;
  if (!flags.config.empty()) CAIRN_RETURN_IF_ERROR(LoadServerConfig(flags.config, &config, &places));
  if (flags.config.empty()) {
    FillServerDefaults(config);
    config.set_metrics_listen("off");
  }
  // A flag's value goes before the file's, and what is wrong with it is not the file's.
  const auto set = [&](const std::string& key, const std::string& value) {
    if (value.empty()) return;
    config.GetReflection()->SetString(&config, v1::ServerConfig::descriptor()->FindFieldByName(key), value);
    places.of.erase(key);
  };
  set("root", flags.root);
  set("node", flags.node);
  set("listen", flags.listen);
  set("client_address", flags.client_address);
  set("zone", flags.zone);
  set("capacity", flags.capacity);
  set("peer_listen", flags.peer_listen);
  set("peer_address", flags.peer_address);
  set("metrics_listen", flags.metrics_listen);
  set("data_dir", flags.data_dir);
  if (flags.workers) {
    config.set_workers(*flags.workers);
    places.of.erase("workers");
  }
  return RunServer(config, Role::kGateway, flags.print_config, places);
}

}  // namespace

void AddGateway(CLI::App& app) {
  CLI::App* command = app.add_subcommand("gateway", "Take clients on one node for a root that runs elsewhere");
  auto flags = std::make_shared<Flags>();
  command->add_option("-c,--config", flags->config, "YAML file of the gateway; flags take precedence");
  command->add_option("--root", flags->root, "host:port of the root's node_listen");
  command->add_option("--node", flags->node, "Name of this node. Default: one made with the data directory");
  command->add_option("--listen", flags->listen, "host:port for clients. Default 127.0.0.1:7070");
  command->add_option("--client-address", flags->client_address,
                      "host:port that clients of other gateways dial when they are sent here; off: none are. Default: "
                      "--listen, as bound, unless that is all addresses of the machine");
  command->add_option("--zone", flags->zone, "Where this gateway is, as clients say where they are. Default: nowhere");
  command->add_option("--capacity", flags->capacity,
                      "Bytes of updates that it can take in a second, as 500MiB. Default: measured at the start");
  command->add_option("--peer-listen", flags->peer_listen,
                      "host:port for other nodes, who read parts of this one's updates. Default: none");
  command->add_option("--peer-address", flags->peer_address,
                      "host:port that other nodes dial for that. Default: --peer-listen, as bound");
  command->add_option("--metrics-listen", flags->metrics_listen,
                      "host:port for metrics. Without --config, default off");
  command->add_option("--data-dir", flags->data_dir, "Directory for what must survive");
  command->add_option("-w,--workers", flags->workers,
                      "Processes that add up this node's updates while others still come in. Default 0: the gateway "
                      "does, when the root asks for the sum");
  command->add_flag("--print-config", flags->print_config, "Print the effective configuration and exit");
  command->footer(kFooter);
  command->callback([flags] { Conclude("gateway", RunGateway(*flags)); });
}

}  // namespace cairn
