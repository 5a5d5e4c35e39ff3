// What a merge will do to which tensor of the base, known before anything is written.
#pragma once

#include <cstddef>
#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "adapter/lora.h"
#include "adapter/tensor_files.h"

namespace cairn {

struct MergeTarget {
  std::size_t tensor = 0;   // Of the base: its place in TensorFiles::tensors.
  bool transposed = false;  // A module whose weight is stored as [d_in, d_out].
  bool adds = true;         // False: takes the base tensor's place.
};

struct MergePlan {
  // By name in the adapter. Not there: tensors without an effect of their own.
  std::map<std::string, MergeTarget> modules, tensors;
  std::map<std::size_t, std::string> changed;  // By whom.
};

// `fan_in_fan_out` decides for square weights of linear layers. Errors: BaseMerge::Create.
absl::StatusOr<MergePlan> PlanMerge(const TensorFiles& base, const AdapterSpec& spec, bool fan_in_fan_out);

}  // namespace cairn
