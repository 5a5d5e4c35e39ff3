// Flags that every training subcommand has.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>

#include "absl/status/statusor.h"
#include "simulation/trainer/local_training.h"

namespace cairn {

struct LocalOptions {
  std::filesystem::path base, train, held_out;
  LocalClient client;

  void AddTo(CLI::App& command);
  // Reads the texts.
  absl::StatusOr<LocalClient> Load() const;
};

void AddTrainOptions(CLI::App& command, TrainOptions& options);

}  // namespace cairn
