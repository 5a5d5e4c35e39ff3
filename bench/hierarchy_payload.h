// The update that the hierarchy benchmark moves: a valid LoRA adapter of a given size, in a file in memory that every
// process reads it from, as from the network.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/files.h"

namespace cairn::bench {

struct HierarchyPayload {
  UniqueFd fd;  // Inherited by child processes.
  std::uint64_t bytes = 0;
  std::string adapter_config;
};

// About `bytes` of float32 factors of rank 16 for modules of 4096 x 4096; the last module is smaller, to fit. The
// header of the file makes it up to 1 % longer. INVALID_ARGUMENT: less than 100 kB.
absl::StatusOr<HierarchyPayload> MakeHierarchyPayload(std::uint64_t bytes);

// Lands an update: copies it from the file into `to`, which is as long, as a gateway copies it from its socket.
absl::Status Land(int fd, absl::Span<char> to);

}  // namespace cairn::bench
