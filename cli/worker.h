// `cairn worker`: folds updates of one node.
#pragma once

#include <CLI/CLI.hpp>

namespace cairn {

void AddWorker(CLI::App& app);

}  // namespace cairn
