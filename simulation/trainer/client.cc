// cairn-trainer client: takes part in a federation until its last round.
#include "client/sdk/client.h"

#include <algorithm>
#include <memory>
#include <optional>

#include "base/status_macros.h"
#include "simulation/trainer/commands.h"
#include "simulation/trainer/events.h"
#include "simulation/trainer/local_options.h"

namespace cairn {
namespace {

namespace fs = std::filesystem;

struct FederatedOptions {
  LocalOptions local;
  ClientOptions connection;
  fs::path work = "work";
  fs::path adapter_out;
};

AdapterShape ShapeOf(const Weights& base) {
  AdapterShape shape{base.base_model, {}};
  for (const WeightSpec& spec : WeightsOf(base.config)) {
    if (spec.adapted) shape.modules.push_back({spec.module(), spec.shape[1], spec.shape[0]});
  }
  return shape;
}

class FederatedTrainer {
 public:
  FederatedTrainer(const FederatedOptions& options, LocalClient local, Weights base, std::unique_ptr<Client> client)
      : options_(options), local_(std::move(local)), base_(std::move(base)), client_(std::move(client)) {}

  absl::Status Run() {
    std::uint64_t last = 0;
    while (true) {
      events_.Phase(last, "waiting");
      const absl::StatusOr<Round> round = client_->AwaitRound();
      if (absl::IsOutOfRange(round.status())) break;
      if (!round.ok()) return round.status();
      CAIRN_RETURN_IF_ERROR(TakePart(*round));
      last = round->number;
    }
    CAIRN_RETURN_IF_ERROR(Finish(last));
    return client_->Leave();
  }

 private:
  // Every round begins from the base and the whole published adapter, whatever this process did before: a client that
  // was killed and started again computes exactly what it would have computed otherwise.
  absl::Status TakePart(const Round& round) {
    std::optional<Lora> published;
    if (round.version > 0) {
      CAIRN_ASSIGN_OR_RETURN(published, PullAdapter(round.version, round.number, options_.work / "published"));
    }
    const Lora* start = published ? &*published : nullptr;
    CAIRN_ASSIGN_OR_RETURN(const Weights weights, Measure(start, round.version, round.number));
    events_.Phase(round.number, "training");
    CAIRN_ASSIGN_OR_RETURN(const Lora update, Train(round, weights, start));
    return Upload(round, update);
  }

  absl::StatusOr<Lora> Train(const Round& round, const Weights& weights, const Lora* start) {
    const auto on_step = [&](int step, double loss) {
      events_.Step(round.number, step, local_.options.steps, loss);
      return absl::OkStatus();
    };
    if (round.start == StartMode::kMerge) return TrainFresh(local_, weights, round.number, on_step);
    return TrainWarm(local_, base_, start, round.number, on_step);
  }

  // FAILED_PRECONDITION means that the round closed without this client, which then takes part in the next one.
  absl::Status Upload(const Round& round, const Lora& update) {
    events_.Phase(round.number, "pushing");
    CAIRN_ASSIGN_OR_RETURN(const AdapterBytes adapter, ToAdapter(update, base_.base_model));
    const std::uint64_t examples = std::max<std::uint64_t>(1, local_.train_text.size() / base_.config.context);
    const auto receipt =
        client_->PushBytes(round, adapter.config_json, adapter.safetensors, examples,
                           [this](std::uint64_t done, std::uint64_t total) { events_.Transfer("push", done, total); });
    return absl::IsFailedPrecondition(receipt.status()) ? absl::OkStatus() : receipt.status();
  }

  absl::StatusOr<Lora> PullAdapter(std::uint64_t version, std::uint64_t round, const fs::path& directory) {
    events_.Phase(round, "pulling");
    CAIRN_ASSIGN_OR_RETURN(
        pulled_, client_->Pull(version, Form::kAdapter, directory, [this](std::uint64_t done, std::uint64_t total) {
          events_.Transfer("pull", done, total);
        }));
    return ReadAdapter(directory);
  }

  absl::StatusOr<Weights> Measure(const Lora* published, std::uint64_t version, std::uint64_t round) {
    events_.Phase(round, "evaluating");
    CAIRN_ASSIGN_OR_RETURN(Weights weights, Published(base_, published));
    CAIRN_ASSIGN_OR_RETURN(const double loss, HeldOutLoss(weights, nullptr, local_.held_out_text));
    events_.HeldOut(version, loss);
    return weights;
  }

  absl::Status Finish(std::uint64_t round) {
    const fs::path directory = options_.adapter_out.empty() ? options_.work / "published" : options_.adapter_out;
    CAIRN_ASSIGN_OR_RETURN(const Lora final_adapter, PullAdapter(0, round, directory));
    CAIRN_RETURN_IF_ERROR(Measure(&final_adapter, pulled_, round).status());
    events_.Done();
    return absl::OkStatus();
  }

  const FederatedOptions& options_;
  const LocalClient local_;
  const Weights base_;
  const std::unique_ptr<Client> client_;
  std::uint64_t pulled_ = 0;  // The version that the last Pull gave.
  Events events_;
};

absl::Status TakePartInFederation(const FederatedOptions& options) {
  CAIRN_ASSIGN_OR_RETURN(Weights base, LoadWeights(options.local.base));
  CAIRN_ASSIGN_OR_RETURN(LocalClient local, options.local.Load());
  Events().Phase(1, "joining");
  ClientOptions connection = options.connection;
  connection.client = local.name;
  connection.tls.enabled = !connection.tls.root_ca.empty() || !connection.tls.certificate.empty();
  CAIRN_ASSIGN_OR_RETURN(std::unique_ptr<Client> client, Client::Join(connection, ShapeOf(base)));
  return FederatedTrainer(options, std::move(local), std::move(base), std::move(client)).Run();
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
  command->add_option("--federation", options->connection.federation, "Name of the federation")->required();
  command->add_option("--root-ca", options->connection.tls.root_ca, "PEM file of the server's CA: uses TLS");
  command->add_option("--certificate", options->connection.tls.certificate, "PEM file: mutual TLS, with --key");
  command->add_option("--key", options->connection.tls.key, "PEM file of the certificate's key");
  command->add_option("--work", options->work, "Directory for pulled adapters");
  command->add_option("--adapter-out", options->adapter_out, "Directory for the last published adapter (PEFT)");
  command->callback([&run, options] { run = [options] { return TakePartInFederation(*options); }; });
}

}  // namespace cairn
