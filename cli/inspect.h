// `cairn inspect ADAPTER`: what an adapter contains.
#pragma once

#include <CLI/App.hpp>
#include <filesystem>
#include <string>

#include "absl/status/statusor.h"

namespace cairn {

// Registers the subcommand. Its callback prints the report, or an error to stderr and throws CLI::RuntimeError.
void AddInspect(CLI::App& app);

// Tables of the modules and of the other tensors of an adapter, which is a folder or a .safetensors file, a summary
// line, and warnings.
absl::StatusOr<std::string> InspectAdapter(const std::filesystem::path& path);

}  // namespace cairn
