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
  AdapterShape shape{base.base_model, {}, {}};
  for (const WeightSpec& spec : WeightsOf(base.config)) {
    if (spec.adapted) shape.modules.push_back({spec.module(), spec.shape[1], spec.shape[0], ""});
  }
  return shape;
}

// What a round starts from.
struct RoundBase {
  const Weights* weights = nullptr;  // What the adapter is trained on.
  std::optional<Lora> adapter;       // To go on with; none: a fresh one.
};

class FederatedTrainer {
 public:
  FederatedTrainer(const FederatedOptions& options, LocalClient local, Weights base, std::unique_ptr<Client> client)
      : options_(options), local_(std::move(local)), base_(std::move(base)), client_(std::move(client)) {
    master_ = base_.Clone();
  }

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
  absl::Status TakePart(const Round& round) {
    CAIRN_ASSIGN_OR_RETURN(const RoundBase start, Begin(round));
    CAIRN_RETURN_IF_ERROR(Measure(start, round.version, round.number));
    events_.Phase(round.number, "training");
    CAIRN_ASSIGN_OR_RETURN(const Lora update, Train(round, start));
    CAIRN_RETURN_IF_ERROR(Upload(round, update));
    if (round.start == StartMode::kWarm) Prune(local_, base_.config, Adapter(start), update);
    return absl::OkStatus();
  }

  // A client that was killed and started again has merged nothing: it gets the checkpoint and, but for the rounding of
  // float32, the same weights.
  absl::StatusOr<RoundBase> Begin(const Round& round) {
    events_.Phase(round.number, "pulling");
    CAIRN_ASSIGN_OR_RETURN(const std::optional<Form> form,
                           client_->PullStart(round, merged_, options_.work / "published", TellPull()));
    RoundBase start{round.start == StartMode::kWarm ? &base_ : &master_, std::nullopt};
    if (!form) return start;
    CAIRN_ASSIGN_OR_RETURN(Lora pulled, ReadAdapter(options_.work / "published"));
    if (round.start != StartMode::kWarm) {
      const std::int64_t trained = round.start == StartMode::kResidual ? local_.rank : 0;
      if (*form == Form::kAdapter) master_ = base_.Clone();
      CAIRN_RETURN_IF_ERROR(MergeInto(BehindRank(pulled, trained), master_));
      merged_ = round.version;
    }
    if (round.start != StartMode::kMerge) start.adapter = std::move(pulled);
    return start;
  }

  static const Lora* Adapter(const RoundBase& start) { return start.adapter ? &*start.adapter : nullptr; }

  absl::StatusOr<Lora> Train(const Round& round, const RoundBase& start) {
    const auto on_step = [&](int step, double loss) {
      events_.Step(round.number, step, local_.options.steps, loss);
      return absl::OkStatus();
    };
    if (round.start == StartMode::kMerge) return TrainFresh(local_, *start.weights, round.number, on_step);
    return TrainWarm(local_, *start.weights, Adapter(start), round.number, on_step);
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

  ProgressCallback TellPull() {
    return [this](std::uint64_t done, std::uint64_t total) { events_.Transfer("pull", done, total); };
  }

  // The published model: all of the adapter counts, also what this client's rank cannot hold. In residual rounds the
  // units behind its rank are merged already.
  absl::Status Measure(const RoundBase& start, std::uint64_t version, std::uint64_t round) {
    events_.Phase(round, "evaluating");
    std::optional<Lora> own;
    if (start.adapter) own = start.weights == &base_ ? *start.adapter : WarmStart(local_, base_.config, Adapter(start));
    CAIRN_ASSIGN_OR_RETURN(const Weights weights, Published(*start.weights, own ? &*own : nullptr));
    CAIRN_ASSIGN_OR_RETURN(const double loss, HeldOutLoss(weights, nullptr, local_.held_out_text));
    events_.HeldOut(version, loss);
    return absl::OkStatus();
  }

  absl::Status Finish(std::uint64_t round) {
    const fs::path directory = options_.adapter_out.empty() ? options_.work / "published" : options_.adapter_out;
    events_.Phase(round, "pulling");
    CAIRN_ASSIGN_OR_RETURN(const std::uint64_t version, client_->Pull(0, Form::kAdapter, directory, TellPull()));
    CAIRN_ASSIGN_OR_RETURN(Lora last, ReadAdapter(directory));
    CAIRN_RETURN_IF_ERROR(Measure({&base_, std::move(last)}, version, round));
    events_.Done();
    return absl::OkStatus();
  }

  const FederatedOptions& options_;
  LocalClient local_;
  const Weights base_;
  Weights master_;            // The base with every merged change, in float32.
  std::uint64_t merged_ = 0;  // The version that master_ stands for.
  const std::unique_ptr<Client> client_;
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
