// The updates of a round, as they lie in the store, in the pipeline that makes a version of them.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "adapter/lora.h"
#include "adapter/peft_config.h"
#include "aggregators/aggregator.h"
#include "aggregators/pipeline.h"
#include "aggregators/shard.h"
#include "base/lost_pages.h"
#include "server/root/checked_adapters.h"
#include "server/root/earlier_rounds.h"
#include "server/root/publish.h"

namespace cairn {

// What a contribution says of itself; with values, unless it is at a node.
absl::StatusOr<Adapter> ShapesOf(const Contribution& contribution, const PeftConfig& config);

class RoundPipeline {
 public:
  // The job must outlive it. What is read stays mapped as long.
  explicit RoundPipeline(const PublishJob& job) : job_(job) {}
  RoundPipeline(const RoundPipeline&) = delete;
  RoundPipeline& operator=(const RoundPipeline&) = delete;

  // Parses every update, of those at nodes the header, and what earlier rounds left. INVALID_ARGUMENT with
  // BlamedClient. `keep`: with kLess the pipeline can plan, but not run: somebody else has summed up. `shard`: as
  // PipelineOptions.
  absl::Status Gather(CheckedAdapters::Keep keep, std::shared_ptr<const Shard> shard = nullptr);

  Pipeline& pipeline() { return *pipeline_; }
  const Aggregator& combine() const { return *combine_; }  // For its properties; the pipeline's ends with its run.
  EarlierRounds& earlier() { return *earlier_; }
  const Rule::Needs& needs() const { return needs_; }
  const CheckedAdapters& updates() const { return updates_; }
  std::vector<const PeftConfig*> InputConfigs() const;

  // What is read here lies in files, on disks that may fail.
  absl::Status Lost() const { return lost_pages_.Lost(); }
  // Mapped inputs must not pile up in memory: what is needed again comes back from the page cache.
  void DropPages() const;

 private:
  absl::Status Add(const Contribution& contribution);

  const LostPagesGuard lost_pages_;
  const PublishJob& job_;
  CheckedAdapters updates_;
  std::optional<EarlierRounds> earlier_;
  std::optional<Pipeline> pipeline_;
  Rule::Needs needs_;
  std::unique_ptr<Aggregator> combine_;
};

}  // namespace cairn
