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
  std::vector<ClientSplit> splits;  // In the order of the experiment's clients, or domains.

  std::filesystem::path base() const { return out / "base.safetensors"; }
  std::filesystem::path data() const { return out / "data"; }
  std::filesystem::path pretrain_text() const { return data() / "pretrain.txt"; }
  std::filesystem::path train_text(const std::string& client) const { return data() / (client + ".train.txt"); }
  std::filesystem::path held_out_text(const std::string& client) const { return data() / (client + ".held_out.txt"); }
  std::filesystem::path log(const std::string& process) const { return out / "logs" / (process + ".log"); }
  std::filesystem::path adapter() const { return out / "adapter"; }
};

// Reads and divides the text; writes nothing. NOT_FOUND when cairn-trainer is not beside this executable.
absl::StatusOr<Workspace> PlanWorkspace(const Experiment& experiment, const std::filesystem::path& out);

// Clears what an earlier run left in `out`, and writes the parts there.
absl::Status WriteWorkspace(const Workspace& workspace);

// The same, but the report stays: that of a grid holds until there is a newer one.
absl::Status RefreshWorkspace(const Workspace& workspace);

}  // namespace cairn
