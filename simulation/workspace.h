// The files of one run under its output directory, and the programs that it starts.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "simulation/data/split.h"
#include "simulation/experiment.h"

namespace cairn {

struct Workspace {
  std::filesystem::path cairn, trainer;  // Executables, in one directory.
  std::filesystem::path out;
  std::vector<ClientSplit> splits;  // In the order of the experiment's clients.

  std::filesystem::path base() const { return out / "base.safetensors"; }
  std::filesystem::path pretrain_text() const { return out / "data" / "pretrain.txt"; }
  std::filesystem::path train_text(const std::string& client) const { return out / "data" / (client + ".train.txt"); }
  std::filesystem::path held_out_text(const std::string& client) const {
    return out / "data" / (client + ".held_out.txt");
  }
  std::filesystem::path log(const std::string& process) const { return out / "logs" / (process + ".log"); }
  std::filesystem::path adapter() const { return out / "adapter"; }
};

// Reads and divides the text, clears what an earlier run left in `out`, and writes the parts there. NOT_FOUND when
// cairn-trainer is not beside this executable.
absl::StatusOr<Workspace> PrepareWorkspace(const Experiment& experiment, const std::filesystem::path& out);

}  // namespace cairn
