// `cairn aggregate`: combines adapters from folders and files (docs/aggregate.md).
#pragma once

#include <CLI/App.hpp>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cli/aggregate_request.h"

namespace cairn {

// Exit codes, also of wrong flags (cli/main.cc). After a signal: 128 + its number.
inline constexpr int kExitRefused = 1;  // The inputs cannot be combined that way.
inline constexpr int kExitUsage = 2;    // The command line is wrong.
inline constexpr int kExitFiles = 3;    // Not there, not readable, disk full, output exists.

// Registers the subcommand. Its callback prints a summary, or an error to stderr and throws CLI::RuntimeError.
void AddAggregate(CLI::App& app);

// The whole task; what to print. Nothing is left of the output after an error.
absl::StatusOr<std::string> Aggregate(const AggregateRequest& request);

int AggregateExitCode(const absl::Status& status);

}  // namespace cairn
