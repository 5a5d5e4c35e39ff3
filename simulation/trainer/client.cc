// cairn-trainer client: takes part in a federation until its last round.
#include "client/sdk/client.h"

#include <memory>
#include <utility>

#include "base/status_macros.h"
#include "simulation/trainer/commands.h"
#include "simulation/trainer/events.h"
#include "simulation/trainer/federated_trainer.h"
#include "simulation/trainer/local_options.h"

namespace cairn {
namespace {

struct FederatedOptions {
  LocalOptions local;
  ClientOptions connection;
  FederatedDirectories directories{.work = "work", .adapter_out = {}};
  AttackerOptions attacker;
};

void AddAttackOptions(CLI::App& command, AttackerOptions& options) {
  command.add_option("--attack", options.attack, "Send what an attack makes of the update: NAME[:key=value,...]");
  command.add_option("--accomplices", options.accomplices,
                     "Directory in which those who attack together share their updates");
  command.add_option("--clients", options.clients, "How many clients the federation has, for attacks that count");
  command.add_option("--attackers", options.attackers, "How many of them attack together");
  command.add_option("--attacker", options.attacker, "Which one of these this client is, from 0");
}

AdapterShape ShapeOf(const Weights& base) {
  AdapterShape shape{base.base_model, {}, {}};
  for (const WeightSpec& spec : WeightsOf(base.config)) {
    if (spec.adapted) shape.modules.push_back({spec.module(), spec.shape[1], spec.shape[0], ""});
  }
  return shape;
}

absl::Status TakePartInFederation(const FederatedOptions& options) {
  CAIRN_ASSIGN_OR_RETURN(Weights base, LoadWeights(options.local.base));
  CAIRN_ASSIGN_OR_RETURN(LocalClient local, options.local.Load());
  std::unique_ptr<Attacker> attacker;
  if (!options.attacker.attack.empty()) {
    CAIRN_ASSIGN_OR_RETURN(attacker, Attacker::Create(options.attacker, local.seed));
  }
  Events().Phase(1, "joining");
  ClientOptions connection = options.connection;
  connection.client = local.name;
  connection.tls.enabled = !connection.tls.root_ca.empty() || !connection.tls.certificate.empty();
  CAIRN_ASSIGN_OR_RETURN(std::unique_ptr<Client> client, Client::Join(connection, ShapeOf(base)));
  return FederatedTrainer(options.directories, std::move(local), std::move(base), std::move(client),
                          std::move(attacker))
      .Run();
}

}  // namespace

void AddClient(CLI::App& app, Command& run) {
  auto options = std::make_shared<FederatedOptions>();
  CLI::App* command = app.add_subcommand("client", "Take part in a federation of a Cairn server");
  command->footer(
      "Example:\n  cairn-trainer client --server 127.0.0.1:7070 --federation licenses --client gpl --rank 16 \\\n"
      "    --base base.safetensors --train gpl.train --held-out gpl.held_out");
  options->local.AddTo(*command);
  command->add_option("--server", options->connection.server, "host:port of the server")->required();
  command->add_option("--zone", options->connection.zone, "Where this client is, as gateways say where they are");
  command->add_option("--federation", options->connection.federation, "Name of the federation")->required();
  command->add_option("--root-ca", options->connection.tls.root_ca, "PEM file of the server's CA: uses TLS");
  command->add_option("--certificate", options->connection.tls.certificate, "PEM file: mutual TLS, with --key");
  command->add_option("--key", options->connection.tls.key, "PEM file of the certificate's key");
  command->add_option("--work", options->directories.work, "Directory for pulled adapters");
  command->add_option("--adapter-out", options->directories.adapter_out,
                      "Directory for the last published adapter (PEFT)");
  AddAttackOptions(*command, options->attacker);
  command->callback([&run, options] { run = [options] { return TakePartInFederation(*options); }; });
}

}  // namespace cairn
