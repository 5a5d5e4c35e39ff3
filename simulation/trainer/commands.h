// The subcommands of cairn-trainer, one file each. Each adds itself to the parser and sets `run` when it is chosen.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

#include "absl/status/status.h"

namespace cairn {

using Command = std::function<absl::Status()>;

void AddPretrain(CLI::App& app, Command& run);
void AddClient(CLI::App& app, Command& run);
void AddAlone(CLI::App& app, Command& run);
void AddEvaluate(CLI::App& app, Command& run);
void AddGrid(CLI::App& app, Command& run);

}  // namespace cairn
