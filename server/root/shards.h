// A round that several processes combine together, each its own modules: what one of them does, and what becomes of
// the parts. The version is the one that a single process makes, to the last bit (aggregators/shard.h).
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "adapter/lora.h"
#include "adapter/tensor_files.h"
#include "aggregators/combine_report.h"
#include "aggregators/combined.h"
#include "aggregators/shard.h"
#include "server/root/publish.h"

namespace cairn {

// What one process made: its own modules and tensors, in a file of the data directory.
struct ShardPart {
  AdapterSpec spec;                  // As planned: its own modules and tensors, ...
  std::vector<std::int64_t> bounds;  // ... and the ranks that its modules have at most.
  std::filesystem::path file;        // Empty: it has none.
  CombineReport report;              // Complete for clients and for all modules together; of modules, its own.
};

// Combines the shard's part into `file`. Errors as Publish, and the shard's.
absl::StatusOr<ShardPart> CombineShard(const PublishJob& job, std::shared_ptr<const Shard> shard,
                                       const std::filesystem::path& file);

// Has rounds combined by several processes. Thread-safe.
class Sharder {
 public:
  virtual ~Sharder() = default;
  // Waits until all parts are there. None: nobody is there who could, and nothing is under way: whoever asks may do it
  // instead. INVALID_ARGUMENT, with BlamedClient: an update cannot be combined, whoever tries. Any other error: it
  // cannot be had this way now. REQUIRES: Shards(job.method). `share`: others combine the round, too, and these are the
  // modules that are combined here; its functions bring together what is computed here with what they compute. Null:
  // all are.
  virtual absl::StatusOr<std::vector<ShardPart>> Combine(const PublishJob& job,
                                                         std::shared_ptr<const Shard> share = nullptr) = 0;
  // Whether it can do so with updates that are at nodes.
  virtual bool reaches_nodes() const { return false; }
};

// Whether more than one process shortens such a round: rules and guards that look at the updates, and combine rules and
// forms that decompose modules.
bool Shards(const Method& method);

// The parts as one result. Their files are removed with this object.
class JoinedShards {
 public:
  static absl::StatusOr<JoinedShards> Open(std::vector<ShardPart> parts);
  JoinedShards(JoinedShards&&) noexcept = default;
  JoinedShards& operator=(JoinedShards&&) = delete;
  ~JoinedShards();

  // PipelinePlan's, of the whole.
  const AdapterSpec& spec() const { return spec_; }
  const std::vector<std::int64_t>& ranks() const { return ranks_; }
  // All of it to the sink, in the order of a result, and the report of the whole.
  absl::StatusOr<CombineReport> Report(const ResultSink& sink) const;

 private:
  explicit JoinedShards(std::vector<ShardPart> parts) : parts_(std::move(parts)) {}

  std::vector<ShardPart> parts_;
  std::vector<TensorFiles> files_;
  AdapterSpec spec_;
  std::vector<std::int64_t> ranks_;
};

}  // namespace cairn
