// cairn-trainer alone: what a client reaches by itself, with the same steps as in a federation.
#include <memory>

#include "base/status_macros.h"
#include "simulation/trainer/commands.h"
#include "simulation/trainer/events.h"
#include "simulation/trainer/local_options.h"

namespace cairn {
namespace {

struct AloneOptions {
  LocalOptions local;
  std::uint64_t rounds = 1;
  std::filesystem::path adapter_out;
};

absl::Status Alone(const AloneOptions& options) {
  CAIRN_ASSIGN_OR_RETURN(const Weights base, LoadWeights(options.local.base));
  CAIRN_ASSIGN_OR_RETURN(const LocalClient client, options.local.Load());
  Events events;
  CAIRN_ASSIGN_OR_RETURN(const double before, HeldOutLoss(base, nullptr, client.held_out_text));
  events.HeldOut(0, before);
  Lora lora;  // Continued from round to round; empty at first, so that the first round begins with a fresh adapter.
  for (std::uint64_t round = 1; round <= options.rounds; ++round) {
    events.Phase(round, "training");
    const auto on_step = [&](int step, double loss) {
      events.Step(round, step, client.options.steps, loss);
      return absl::OkStatus();
    };
    CAIRN_ASSIGN_OR_RETURN(lora, TrainWarm(client, base, &lora, round, on_step));
    CAIRN_ASSIGN_OR_RETURN(const double loss, HeldOutLoss(base, &lora, client.held_out_text));
    events.HeldOut(round, loss);
  }
  if (!options.adapter_out.empty()) {
    CAIRN_ASSIGN_OR_RETURN(const AdapterBytes adapter, ToAdapter(lora, base.base_model));
    CAIRN_RETURN_IF_ERROR(WriteAdapter(adapter, options.adapter_out));
  }
  events.Done();
  return absl::OkStatus();
}

}  // namespace

void AddAlone(CLI::App& app, Command& run) {
  auto options = std::make_shared<AloneOptions>();
  CLI::App* command = app.add_subcommand("alone", "Train an adapter on one client's text, without a federation");
  command->footer(
      "Example:\n  cairn-trainer alone --base base.safetensors --train gpl.train --held-out gpl.held_out --client gpl "
      "--rounds 3");
  options->local.AddTo(*command);
  command->add_option("--rounds", options->rounds, "Rounds of --steps each")->check(CLI::Range(1, 1'000'000));
  command->add_option("--adapter-out", options->adapter_out, "Directory for the PEFT adapter");
  command->callback([&run, options] { run = [options] { return Alone(*options); }; });
}

}  // namespace cairn
