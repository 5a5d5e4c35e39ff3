// The adapter_config.json that belongs to a result.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "adapter/peft_config.h"
#include "aggregators/recompressed.h"

namespace cairn {

// Scale 1 in every module. Base model and task are those named first; biases, modules_to_save and fan_in_fan_out what
// any of the inputs has. `inputs` are the LoRA configs that were combined, at least one.
PeftConfig ResultConfig(const std::vector<std::pair<std::string, std::int64_t>>& module_ranks,
                        absl::Span<const PeftConfig* const> inputs);

// The same for what RecipientOf gave: every module has the recipient's own scale, whatever its rank.
PeftConfig RecipientConfig(const std::vector<std::pair<std::string, std::int64_t>>& module_ranks,
                           absl::Span<const PeftConfig* const> inputs, const RecipientRank& recipient);

}  // namespace cairn
