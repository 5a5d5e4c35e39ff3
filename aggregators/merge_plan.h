// What a merge will do to which tensor of the base, known before anything is written.
#pragma once

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "adapter/lora.h"
#include "aggregators/base_model.h"
#include "aggregators/base_names.h"

namespace cairn {

struct MergeTarget {
  BasePlace place;
  bool transposed = false;  // A module whose weight is stored as [d_in, d_out].
  bool adds = true;         // False: takes the base tensor's place.
};

struct MergePlan {
  std::map<std::string, MergeTarget> modules, tensors;  // By name in the adapter.
  std::map<BasePlace, std::string> changed;             // By whom.
};

// `fan_in_fan_out` decides for square weights of linear layers. Errors: BaseMerge::Create.
absl::StatusOr<MergePlan> PlanMerge(const BaseModel& base, const AdapterSpec& spec, bool fan_in_fan_out);

}  // namespace cairn
