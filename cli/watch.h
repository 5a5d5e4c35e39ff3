// `cairn watch`: the events of a federation as they happen.
#pragma once

#include <CLI/CLI.hpp>

namespace cairn {

void AddWatch(CLI::App& app);

}  // namespace cairn
