// cairn-trainer evaluate: the loss of a base model, with or without an adapter, on a text.
#include <cstdio>
#include <memory>

#include "base/files.h"
#include "base/status_macros.h"
#include "simulation/data/corpus.h"
#include "simulation/trainer/commands.h"
#include "simulation/trainer/local_training.h"

namespace cairn {
namespace {

struct EvaluateOptions {
  std::filesystem::path base, adapter, text;
};

absl::Status Evaluate(const EvaluateOptions& options) {
  CAIRN_ASSIGN_OR_RETURN(Weights weights, LoadWeights(options.base));
  CAIRN_ASSIGN_OR_RETURN(const std::string text, ReadFile(options.text, kCorpusBytesMax));
  if (!options.adapter.empty()) {
    CAIRN_ASSIGN_OR_RETURN(const Lora lora, ReadAdapter(options.adapter));
    CAIRN_RETURN_IF_ERROR(MergeInto(lora, weights));
  }
  CAIRN_ASSIGN_OR_RETURN(const double loss, HeldOutLoss(weights, nullptr, text));
  std::printf("%.6f nats per byte\n", loss);
  return absl::OkStatus();
}

}  // namespace

void AddEvaluate(CLI::App& app, Command& run) {
  auto options = std::make_shared<EvaluateOptions>();
  CLI::App* command = app.add_subcommand("evaluate", "Measure a base model, with or without an adapter, on a text");
  command->footer(
      "Example:\n  cairn-trainer evaluate --base out/base.safetensors --adapter out/adapter --text "
      "out/data/gpl.held_out");
  command->add_option("--base", options->base, "The base model")->required();
  command->add_option("--adapter", options->adapter, "A PEFT adapter directory to merge into it");
  command->add_option("--text", options->text, "Text to measure on")->required();
  command->callback([&run, options] { run = [options] { return Evaluate(*options); }; });
}

}  // namespace cairn
