// How a subcommand ends.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>

#include "absl/status/status.h"

namespace cairn {

// For use at the end of a CLI11 callback: an error goes to stderr under the command's name, and becomes the exit code.
inline void Conclude(const char* command, const absl::Status& status, int exit_code = 1) {
  if (status.ok()) return;
  std::fprintf(stderr, "cairn %s: %s\n", command, std::string(status.message()).c_str());
  throw CLI::RuntimeError(exit_code);
}

}  // namespace cairn
