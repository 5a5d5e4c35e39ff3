// One round's partial sum in a worker.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "aggregators/aggregator.h"
#include "aggregators/partial_sum.h"
#include "proto/cairn/v1/tree.pb.h"
#include "server/tree/node_objects.h"

namespace cairn::tree {

class WorkerSum {
 public:
  explicit WorkerSum(std::shared_ptr<NodeObjects> objects) : objects_(std::move(objects)) {}

  // Each gives the reply but for its time. `lost`: there is nothing in the sum any more.
  v1::WorkerReply Fold(const v1::FoldTask& task);
  v1::WorkerReply Merge(const v1::SealedPartial& partial);
  v1::WorkerReply Seal();

 private:
  struct Input;
  absl::StatusOr<std::unique_ptr<Input>> Open(const v1::UpdatePlace& place) const;
  absl::Status Begin(const std::string& combine);
  std::vector<absl::Status> AddEach(absl::Span<const std::unique_ptr<Input>> inputs);
  absl::Status AddAll(absl::Span<const std::unique_ptr<Input>> inputs);
  absl::Status DoMerge(const v1::SealedPartial& partial);
  absl::Status DoSeal(v1::SealedPartial& sealed);
  void Measure(v1::WorkerReply& reply) const;
  // Whether what was added last may have been another object's bytes, or none.
  absl::Status CheckRead(absl::Span<const std::unique_ptr<Input>> inputs) const;

  std::shared_ptr<NodeObjects> objects_;
  // Once Begin was OK, until the sum is sealed.
  std::shared_ptr<const Aggregator> rule_;  // For what it says of updates; without clients.
  std::optional<PartialSum> sum_;
};

}  // namespace cairn::tree
