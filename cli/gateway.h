// `cairn gateway`: runs a gateway until SIGINT or SIGTERM.
#pragma once

#include <CLI/CLI.hpp>

namespace cairn {

void AddGateway(CLI::App& app);

}  // namespace cairn
