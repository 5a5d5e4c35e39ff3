// The adapter_config.json that belongs to a result.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "adapter/peft_config.h"

namespace cairn {

// Scale 1 in every module (UnitScaleConfig), and whatever of biases, modules_to_save and fan_in_fan_out the inputs have
// in common or together. `inputs` are the LoRA configs that were combined, at least one; base model and task are the
// first that are named.
PeftConfig ResultConfig(const std::vector<std::pair<std::string, std::int64_t>>& module_ranks,
                        absl::Span<const PeftConfig* const> inputs);

}  // namespace cairn
