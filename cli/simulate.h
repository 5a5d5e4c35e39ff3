// `cairn simulate FILE.yaml`: an experiment with real trainer processes against a real server.
#pragma once

#include <CLI/App.hpp>

namespace cairn {

// Registers the subcommand. Its callback shows progress and prints a table, or an error to stderr and throws
// CLI::RuntimeError(1); after Ctrl-C, CLI::RuntimeError(130).
void AddSimulate(CLI::App& app);

}  // namespace cairn
