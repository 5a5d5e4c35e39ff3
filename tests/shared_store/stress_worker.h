// What one of many workers does to the store.
#pragma once

#include <cstdint>
#include <filesystem>

#include "absl/status/status.h"

namespace cairn::testing {

// Creates, seals, reads, checks and lets go, in random order; each step begins one object. The agent removes what was
// sealed.
absl::Status RunStress(const std::filesystem::path& directory, std::uint64_t seed, int steps);

}  // namespace cairn::testing
