// Adapters on disk as clients of a Llama-7B federation send them: rank 16 on the q and v projections of 32 layers.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "absl/status/statusor.h"
#include "adapter/dtype.h"

namespace cairn::bench {

inline constexpr std::int64_t kLlamaDim = 4096;
inline constexpr std::int64_t kLlamaLayers = 32;
inline constexpr std::int64_t kLlamaModules = 2 * kLlamaLayers;
inline constexpr std::int64_t kLlamaRank = 16;

// Writes `clients` PEFT directories, no two the same, into `directory`. Their pages stay in the page cache.
absl::StatusOr<std::vector<std::filesystem::path>> WriteCohort(const std::filesystem::path& directory, int clients,
                                                               DType dtype);

}  // namespace cairn::bench
