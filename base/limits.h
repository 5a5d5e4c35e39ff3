// Every bound of Cairn, in one place, with its unit. A bound is part of the public contract: docs/operations.md lists
// them.
#pragma once

#include <cstddef>
#include <cstdint>

namespace cairn::limits {

inline constexpr std::size_t kKiB = 1024;
inline constexpr std::size_t kMiB = 1024 * kKiB;
inline constexpr std::size_t kGiB = 1024 * kMiB;

// Files.
inline constexpr std::size_t kSafetensorsHeaderBytesMax = 16 * kMiB;  // JSON header of one safetensors file.
inline constexpr std::size_t kTensorsMax = 65'536;                    // Tensors in one safetensors file.
inline constexpr std::size_t kModelTensorsMax = 1'048'576;            // Tensors of one model over all its files.
inline constexpr std::size_t kShardsMax = 4'096;                      // Files of one model.
inline constexpr std::size_t kIndexBytesMax = 128 * kMiB;             // model.safetensors.index.json
inline constexpr std::size_t kTensorNameBytesMax = 512;
inline constexpr std::size_t kTensorDimsMax = 8;
inline constexpr std::size_t kAdapterConfigBytesMax = 1 * kMiB;  // adapter_config.json.
inline constexpr std::size_t kPatternBytesMax = 1024;            // One key of rank_pattern or alpha_pattern.
inline constexpr std::size_t kPatternRegexesMax = 16;            // Keys that are more than a path, each config.
inline constexpr int kPatternProgramMax = 1000;                  // Instructions of one compiled expression.

// Adapters.
inline constexpr std::int64_t kRankMax = 65'536;
inline constexpr std::int64_t kModuleDimMax = 1 << 24;  // Rows or columns of one module's weight.

// What a client may send: values below 2^96 and scales (alpha / rank) up to 2^24, so that no weighted factor overflows
// float32.
inline constexpr int kValueExponentMax = 96;
inline constexpr double kScaleMax = 1 << 24;
inline constexpr std::size_t kUploadHeaderBytesMax = 1 * kMiB;  // JSON header of an uploaded safetensors file.
inline constexpr std::size_t kModelNameBytesMax = 512;          // base_model_name_or_path, task_type.

// Names: federation and client ids are [A-Za-z0-9._-], 1 to 64 characters, and do not start with a dot.
inline constexpr std::size_t kIdBytesMax = 64;

// The wire.
inline constexpr std::size_t kChunkBytes = 1 * kMiB;          // Payload bytes of one chunk frame.
inline constexpr std::size_t kFramePrefixBytes = 16;          // wire/frame.h.
inline constexpr std::size_t kPushHeaderBytesMax = 2 * kMiB;  // Serialised PushHeader with adapter_config.json inside.
inline constexpr std::size_t kMessageBytesMax = 4 * kMiB;     // Largest gRPC message either side accepts.
inline constexpr std::uint64_t kPayloadBytesMax = 64ULL * kGiB;  // One upload. The configuration may set a lower bound.

// Rounds.
inline constexpr std::size_t kCohortClientsMax =
    10'000;  // Clients of one federation, and so contributors of one round.

}  // namespace cairn::limits
