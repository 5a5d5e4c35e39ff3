// `cairn serve`: runs a server until SIGINT or SIGTERM.
#pragma once

#include <CLI/CLI.hpp>

namespace cairn {

void AddServe(CLI::App& app);

}  // namespace cairn
