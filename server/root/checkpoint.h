// What a federation has learned so far, as one adapter relative to the base model.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "adapter/lora.h"
#include "aggregators/aggregator.h"
#include "aggregators/combined.h"

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

}  // namespace cairn
