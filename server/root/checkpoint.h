// What a federation has learned so far, as one adapter relative to the base model.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "adapter/lora.h"
#include "aggregators/aggregator.h"
#include "aggregators/combined.h"
#include "aggregators/result_writer.h"

namespace cairn {

// Ascending by name. Read from the files below it when it is written.
struct Checkpoint {
  std::vector<CombinedModule> modules;
  std::vector<CombinedTensor> tensors;

  AdapterSpec spec() const;
  std::vector<std::int64_t> ranks() const;
};

// The checkpoint before (null: the base model), and what a round made of it:
//   kMerge     change is added, at no higher rank than the weight has
//   kWarm      change takes the place of what was there
//   kResidual  the first units of change, as many as `trained` has for the module, take the place of as many first
//              units of what was there; the others are added
// What the round did not touch stays. Tensors with absolute values are replaced. Others (the bias of a lora_B) are
// added in kMerge, and replaced elsewhere: clients train them further with the units that they belong to.
// FAILED_PRECONDITION as BoundedSum; INVALID_ARGUMENT when a module has other dimensions.
absl::StatusOr<Checkpoint> NextCheckpoint(const Adapter* before, const Adapter& change, RoundStart start,
                                          const std::map<std::string, std::int64_t>& trained);

// The sum of tensors of one name and shape, at least one, each times its scale. One that is no float stays as it is.
CombinedTensor SumOfTensors(absl::Span<const DenseTensor> tensors);

// Writes `checkpoint` to `file`, to be finished by the caller. A module that is written lets go of what it was computed
// from; `after_tensor` as in WriteOptions. The writer's errors, with the module's name.
absl::StatusOr<ResultWriter> WriteCheckpoint(const std::filesystem::path& file, Checkpoint checkpoint,
                                             std::function<void()> after_tensor);

}  // namespace cairn
