#include "aggregators/result_config.h"

#include <algorithm>

namespace cairn {
namespace {

const std::string& FirstNamed(absl::Span<const PeftConfig* const> inputs, std::string PeftConfig::*field) {
  const auto named = std::find_if(inputs.begin(), inputs.end(),
                                  [field](const PeftConfig* config) { return !(config->*field).empty(); });
  return (named == inputs.end() ? inputs.front() : *named)->*field;
}

}  // namespace

PeftConfig ResultConfig(const std::vector<std::pair<std::string, std::int64_t>>& module_ranks,
                        absl::Span<const PeftConfig* const> inputs) {
  PeftConfig result = UnitScaleConfig(module_ranks, FirstNamed(inputs, &PeftConfig::base_model),
                                      FirstNamed(inputs, &PeftConfig::task_type));
  for (const PeftConfig* input : inputs) {
    result.fan_in_fan_out |= input->fan_in_fan_out;
    result.lora_bias |= input->lora_bias;
    // kAll covers what kLoraOnly does.
    if (result.bias != PeftConfig::Bias::kAll && input->bias != PeftConfig::Bias::kNone) result.bias = input->bias;
    for (const std::string& module : input->modules_to_save) {
      auto& saved = result.modules_to_save;
      if (std::find(saved.begin(), saved.end(), module) == saved.end()) saved.push_back(module);
    }
  }
  std::sort(result.modules_to_save.begin(), result.modules_to_save.end());  // Whatever the order of the clients.
  return result;
}

}  // namespace cairn
