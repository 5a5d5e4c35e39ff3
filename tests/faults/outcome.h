// What a run leaves in its data directory, as far as it must not depend on what happened on the way.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace cairn::faults {

// From names such as "published v00001/adapter_model.safetensors", "history client-0@3.json" and "receipt 1 client-0"
// to sha256.
using Outcome = std::map<std::string, std::string>;

// INTERNAL: something is left that should be gone: updates of closed rounds, unfinished files.
absl::StatusOr<Outcome> ReadOutcome(const std::filesystem::path& data_dir);

// INTERNAL: names what differs.
absl::Status CheckSame(const Outcome& expected, const Outcome& got);

}  // namespace cairn::faults
