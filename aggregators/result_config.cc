#include "aggregators/result_config.h"

#include <algorithm>

namespace cairn {
namespace {

const std::string& FirstNamed(absl::Span<const PeftConfig* const> inputs, std::string PeftConfig::*field) {
  const auto named = std::find_if(inputs.begin(), inputs.end(),
                                  [field](const PeftConfig* config) { return !(config->*field).empty(); });
  return (named == inputs.end() ? inputs.front() : *named)->*field;
}

void AddMissing(const std::vector<std::string>& from, std::vector<std::string>& to) {
  for (const std::string& name : from) {
    if (std::find(to.begin(), to.end(), name) == to.end()) to.push_back(name);
  }
}

PeftConfig CommonConfig(absl::Span<const PeftConfig* const> inputs) {
  PeftConfig common;
  common.base_model = FirstNamed(inputs, &PeftConfig::base_model);
  common.task_type = FirstNamed(inputs, &PeftConfig::task_type);
  for (const PeftConfig* input : inputs) {
    common.fan_in_fan_out |= input->fan_in_fan_out;
    common.lora_bias |= input->lora_bias;
    // kAll covers what kLoraOnly does.
    if (common.bias != PeftConfig::Bias::kAll && input->bias != PeftConfig::Bias::kNone) common.bias = input->bias;
    AddMissing(input->modules_to_save, common.modules_to_save);
  }
  std::sort(common.modules_to_save.begin(), common.modules_to_save.end());  // Whatever the order of the clients.
  return common;
}

}  // namespace

PeftConfig ResultConfig(const std::vector<std::pair<std::string, std::int64_t>>& module_ranks,
                        absl::Span<const PeftConfig* const> inputs) {
  return UnitScaleConfig(CommonConfig(inputs), module_ranks);
}

PeftConfig RecipientConfig(const std::vector<std::pair<std::string, std::int64_t>>& module_ranks,
                           absl::Span<const PeftConfig* const> inputs, const RecipientRank& recipient) {
  PeftConfig config = ResultConfig(module_ranks, inputs);
  const double scale = ScaleOf(recipient);
  for (auto& [pattern, alpha] : config.alpha_pattern) alpha *= scale;
  config.alpha *= scale;
  return config;
}

}  // namespace cairn
