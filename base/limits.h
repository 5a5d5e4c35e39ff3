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

// What a client may send. Values of tensors below 2^96 and scales (alpha / rank) up to 2^24: no weighted tensor
// overflows float32. Values of factors below 2^40, or 2^21 where a core is between them: scale * A * B, summed over at
// most 2^16 units (with a core 2^32 pairs), stays below 2^120 whichever clients' factors a rule multiplies, and float32
// reaches 2^128: 256 rounds of the worst add up.
inline constexpr int kValueExponentMax = 96;
inline constexpr int kFactorExponentMax = 40;
inline constexpr int kCoreFactorExponentMax = 21;
inline constexpr double kScaleMax = 1 << 24;
// No module has use for more units than its weight has rows or columns; small ones (a router, a classifier) come with
// the rank that their adapter has everywhere, which is refused beyond this only.
inline constexpr std::int64_t kUsualRankMax = 256;
inline constexpr std::size_t kUploadHeaderBytesMax = 1 * kMiB;  // JSON header of an uploaded safetensors file.
inline constexpr std::size_t kModelNameBytesMax = 512;          // base_model_name_or_path, task_type.

// Names: federation and client ids are [A-Za-z0-9._-], 1 to 64 characters, and do not start with a dot.
inline constexpr std::size_t kIdBytesMax = 64;

// The wire.
inline constexpr std::size_t kChunkBytes = 1 * kMiB;          // Payload bytes of one chunk frame.
inline constexpr std::size_t kFramePrefixBytes = 16;          // wire/frame.h.
inline constexpr std::size_t kPushHeaderBytesMax = 2 * kMiB;  // Serialised PushHeader with adapter_config.json inside.
inline constexpr std::size_t kMessageBytesMax = 4 * kMiB;     // Largest gRPC message either side accepts.
inline constexpr std::size_t kReducedNumbersMax = 256 * 1024;  // Of int64, in a message between nodes: 2 MiB.
inline constexpr std::uint64_t kPayloadBytesMax = 64ULL * kGiB;  // One upload. The configuration may set a lower bound.

// Between nodes that read of each other's updates.
inline constexpr std::size_t kReadRangesMax = 4'096;  // Ranges in one request; whoever wants more asks again.

// Published adapters that a gateway away from the root keeps for its clients; the latest one always.
inline constexpr std::uint64_t kAdapterCacheBytesMax = 16ULL * kGiB;

// Shared memory of one node.
inline constexpr std::uint32_t kSharedObjectsMax = 1'048'576;   // Entries of one object table, 64 bytes each.
inline constexpr std::size_t kStoreSessionsMax = 1'024;         // Workers connected to one store.
inline constexpr std::size_t kTreeMessageBytesMax = 64 * kMiB;  // Between a node's dispatcher and a worker.
inline constexpr std::size_t kWorkersMax = 256;                 // Processes that one server starts.
// A worker that is alive but gets nothing done for so long hangs, and is ended; a gateway's own work likewise, and is
// given up. Pieces of work take seconds; the longest
// is to sync a part of a version, of gigabytes, to a disk that is slow.
inline constexpr int kWorkerStuckSeconds = 600;

// Rounds.
inline constexpr std::size_t kCohortClientsMax =
    10'000;  // Clients of one federation, and so contributors of one round.

// Nodes that clients of one federation can be placed on.
inline constexpr std::size_t kTreeNodesMax = 1'024;

// Rules that choose the best of all subsets of n - f clients: subsets, C(n, f), that they choose from.
inline constexpr std::size_t kMdaSubsetsMax = 2'000'000;
inline constexpr std::size_t kSmeaSubsetsMax = 100'000;
inline constexpr std::size_t kSmeaClientsMax =
    200;  // An eigenvalue takes n^3 steps: with more, minutes for few subsets.

// Rules that look for eigenvectors, n^3 steps each: clients with which the worst updates take about a minute.
inline constexpr std::size_t kCafClientsMax = 750;     // Up to n eigenvectors.
inline constexpr std::size_t kDncClientsMax = 4'000;   // One.
inline constexpr std::size_t kFlagClientsMax = 1'500;  // One an iteration, in the default five; fewer where there are
                                                       // more iterations.

// Metrics: modules of one federation that have a series of their own.
inline constexpr std::size_t kMetricModulesMax = 1024;

// Clients of one round that are shown one by one: in metrics, none of a larger round; in a status reply, this many.
inline constexpr std::size_t kClientsShownMax = 1000;

}  // namespace cairn::limits
