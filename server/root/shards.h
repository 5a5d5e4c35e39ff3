// A round that several processes combine together, each its own modules: what one of them does, and what becomes of
// the parts. The version is the one that a single process makes, to the last bit (aggregators/shard.h).
#pragma once

#include <cstdint>
#include <filesystem>
#include <list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "adapter/peft_config.h"
#include "aggregators/aggregator.h"
#include "aggregators/combine_report.h"
#include "aggregators/combined.h"
#include "aggregators/shard.h"
#include "server/root/publish.h"
#include "server/root/update.h"

namespace cairn {

// What one process made: its own modules and tensors, in a file of the data directory.
struct ShardPart {
  std::filesystem::path file;
  std::vector<std::pair<std::string, std::int64_t>> ranks;  // By module of the file.
  CombineReport report;  // Complete for clients and for all modules together; of modules, its own.
};

// Combines the shard's part into `file`. Errors as Publish, and the shard's.
absl::StatusOr<ShardPart> CombineShard(const PublishJob& job, std::shared_ptr<const Shard> shard, int threads,
                                       const std::filesystem::path& file);

// Has rounds combined by several processes. Thread-safe.
class Sharder {
 public:
  virtual ~Sharder() = default;
  // Waits until all parts are there. INVALID_ARGUMENT, with BlamedClient: an update cannot be combined, whoever tries.
  // Any other error: it cannot be had this way now. REQUIRES: Shards(job.method).
  virtual absl::StatusOr<std::vector<ShardPart>> Combine(const PublishJob& job) = 0;
};

// Whether more than one process shortens such a round: rules and guards that look at the updates, and combine rules and
// forms that decompose modules.
bool Shards(const Method& method);

// The parts as one result. Their files are removed with this object.
class JoinedShards {
 public:
  // `combine` and `inputs` as the round has them: what the files are read with.
  static absl::StatusOr<JoinedShards> Open(std::vector<ShardPart> parts, const Aggregator& combine,
                                           absl::Span<const PeftConfig* const> inputs);
  JoinedShards(JoinedShards&&) noexcept = default;
  JoinedShards& operator=(JoinedShards&&) = delete;
  ~JoinedShards();

  const AdapterSpec& spec() const { return spec_; }
  const std::vector<std::int64_t>& ranks() const { return ranks_; }  // By module of spec().
  // All of it to the sink, in the order of a result, and the report of the whole.
  absl::StatusOr<CombineReport> Report(const ResultSink& sink) const;

 private:
  explicit JoinedShards(std::vector<ShardPart> parts) : parts_(std::move(parts)) {}
  absl::Status Map(const ShardPart& part, const Aggregator& combine, absl::Span<const PeftConfig* const> inputs);

  std::vector<ShardPart> parts_;
  std::list<MappedAdapter> files_;
  AdapterSpec spec_;
  std::vector<std::int64_t> ranks_;
};

}  // namespace cairn
