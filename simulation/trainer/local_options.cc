#include "simulation/trainer/local_options.h"

#include "base/files.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "simulation/data/corpus.h"

namespace cairn {

void AddTrainOptions(CLI::App& command, TrainOptions& options) {
  command.add_option("--steps", options.steps, "Optimizer steps (of each round)")->check(CLI::Range(1, 10'000'000));
  command.add_option("--batch", options.batch, "Windows of text per step")->check(CLI::Range(1, 65'536));
  command.add_option("--learning-rate", options.learning_rate, "Peak of Adam's learning rate")
      ->check(CLI::Range(1e-8, 10.0));
}

void LocalOptions::AddTo(CLI::App& command) {
  command.add_option("--base", base, "The base model, from `cairn-trainer pretrain`")->required();
  command.add_option("--train", train, "Text to train on")->required();
  command.add_option("--held-out", held_out, "Text to measure on")->required();
  command.add_option("--client", client.name, "This client's name; part of every seed")->required();
  command.add_option("--rank", client.rank, "LoRA rank")->check(CLI::Range(std::int64_t{1}, limits::kRankMax));
  command.add_option("--alpha", client.alpha, "LoRA alpha: the scale is alpha / rank")->check(CLI::PositiveNumber);
  command.add_option("--seed", client.seed, "Seed of the experiment, the same for all clients");
  command.add_flag("--freeze-a", client.options.freeze_a, "Train B only, from the A that all clients begin with");
  command.add_option("--prune", client.prune, "Go on with this part of the rank when the last units shrank in a round")
      ->check(CLI::Range(1e-3, 0.999));
  AddTrainOptions(command, client.options);
}

absl::StatusOr<LocalClient> LocalOptions::Load() const {
  LocalClient loaded = client;
  CAIRN_ASSIGN_OR_RETURN(loaded.train_text, ReadFile(train, kCorpusBytesMax));
  CAIRN_ASSIGN_OR_RETURN(loaded.held_out_text, ReadFile(held_out, kCorpusBytesMax));
  return loaded;
}

}  // namespace cairn
