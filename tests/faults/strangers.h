// Processes on the server's machine, of its user, that do not keep to the rules of its shared store.
#pragma once

#include <cstdint>
#include <filesystem>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace cairn::faults {

// Asks the store's agent for objects by keys that it never gave out. INTERNAL: it gave one.
absl::Status AskForForgedKeys(const std::filesystem::path& node_dir, std::uint64_t seed);

// Offers itself as a worker of another release, and as something that is no worker at all: it is sent away both times.
// INTERNAL: it was given a task.
absl::Status OfferStrangeWorker(const std::filesystem::path& node_dir);

// Takes `bytes` of the shared memory, as far as there are, and gives them back after `held`.
absl::Status TakeMemory(const std::filesystem::path& node_dir, std::uint64_t bytes, absl::Duration held);

}  // namespace cairn::faults
