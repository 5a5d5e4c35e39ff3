// `cairn aggregate`: combines adapters from folders and files (docs/aggregate.md).
#pragma once

#include <CLI/App.hpp>
#include <string>

#include "absl/status/statusor.h"
#include "cli/aggregate_request.h"

namespace cairn {

// Registers the subcommand. Its callback prints a summary, or an error to stderr and throws CLI::RuntimeError.
void AddAggregate(CLI::App& app);

// The whole task; what to print. Nothing is left of the output after an error.
absl::StatusOr<std::string> Aggregate(const AggregateRequest& request);

}  // namespace cairn
