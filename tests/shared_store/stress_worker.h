// What one of many workers does to the store until its time is over.
#pragma once

#include <cstdint>
#include <filesystem>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace cairn::testing {

// Creates, seals, reads, checks and lets go, in random order; the agent removes what was sealed.
absl::Status RunStress(const std::filesystem::path& directory, std::uint64_t seed, absl::Duration duration);

}  // namespace cairn::testing
