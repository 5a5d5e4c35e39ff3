// cairn-trainer pretrain: makes a base model from text.
#include <memory>

#include "base/files.h"
#include "base/status_macros.h"
#include "simulation/data/corpus.h"
#include "simulation/model/random.h"
#include "simulation/model/training.h"
#include "simulation/trainer/commands.h"
#include "simulation/trainer/events.h"
#include "simulation/trainer/local_options.h"

namespace cairn {
namespace {

struct PretrainOptions {
  std::filesystem::path text, out;
  ModelConfig model;
  TrainOptions train{.steps = 600, .batch = 16, .learning_rate = 3e-3};
  std::uint64_t seed = 0;
};

absl::Status Pretrain(const PretrainOptions& options) {
  CAIRN_ASSIGN_OR_RETURN(const std::string text, ReadFile(options.text, kCorpusBytesMax));
  CAIRN_ASSIGN_OR_RETURN(Weights weights, InitWeights(options.model, options.seed));
  TrainOptions train = options.train;
  train.seed = SeedOf(options.seed, {"pretrain"});
  Events events;
  events.Phase(0, "training");
  CAIRN_RETURN_IF_ERROR(TrainWeights(weights, text, train, [&](int step, double loss) {
    events.Step(0, step, train.steps, loss);
    return absl::OkStatus();
  }));
  CAIRN_RETURN_IF_ERROR(SaveWeights(weights, options.out));
  events.Done();
  return absl::OkStatus();
}

}  // namespace

void AddPretrain(CLI::App& app, Command& run) {
  auto options = std::make_shared<PretrainOptions>();
  CLI::App* command = app.add_subcommand("pretrain", "Train a byte-level language model from random weights");
  command->footer("Example:\n  cairn-trainer pretrain --text all.txt --out base.safetensors --steps 600");
  command->add_option("--text", options->text, "Text to train on")->required();
  command->add_option("--out", options->out, "Where the weights go (safetensors)")->required();
  command->add_option("--width", options->model.width, "Width of the residual stream");
  command->add_option("--layers", options->model.layers, "Transformer layers");
  command->add_option("--heads", options->model.heads, "Attention heads");
  command->add_option("--context", options->model.context, "Bytes of one window");
  command->add_option("--seed", options->seed, "Seed of the initial weights and of the batches");
  AddTrainOptions(*command, options->train);
  command->callback([&run, options] { run = [options] { return Pretrain(*options); }; });
}

}  // namespace cairn
