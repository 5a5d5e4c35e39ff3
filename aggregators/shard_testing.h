// Rounds to be shared by shards, in one process or several. For tests only.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "aggregators/pipeline.h"
#include "aggregators/shard.h"
#include "aggregators/testing.h"

namespace cairn::testing {

// Nine clients, the last of them "trusted", of mixed ranks; some lack modules and tensors, one has float64. Modules
// with and without groups, tensors that are values, changes and integers, one of more than a chunk.
class ShardedRound {
 public:
  // `broken`: two clients have values that are not finite, in different modules and tensors.
  explicit ShardedRound(bool broken = false);

  // With what earlier rounds left, or without.
  absl::Status AddTo(Pipeline& pipeline, bool memory) const;
  // Modules and tensors, of the memory, too; in order.
  const std::vector<std::string>& modules() const { return modules_; }
  const std::vector<std::string>& tensors() const { return tensors_; }

 private:
  Adapter& Make(std::uint64_t seed, const std::vector<ModuleSpec>& modules, bool broken);
  void AddTensors(std::uint64_t seed, bool broken, Adapter& adapter);
  void AddTensor(const std::string& name, std::vector<float> values, bool absolute, Adapter& adapter);

  std::list<InMemoryUpdate> updates_;
  std::list<std::vector<float>> values_;
  std::list<Adapter> adapters_;
  std::map<std::string, const Adapter*> clients_, histories_;
  const Adapter *last_ = nullptr, *reference_ = nullptr;
  std::vector<std::string> modules_, tensors_;
};

// A result as it may be compared: all that is said of each module and tensor, bit by bit.
struct RoundResult {
  std::map<std::string, std::string> parts;  // By "module NAME" and "tensor NAME".
  CombineReport report;
  std::vector<std::string> planned;  // Names in PipelinePlan::spec.
};
absl::StatusOr<RoundResult> RunRound(const ShardedRound& round, const PipelineOptions& options, bool memory);

}  // namespace cairn::testing
