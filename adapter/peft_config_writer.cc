#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "adapter/peft_config.h"

namespace cairn {
namespace {

// Bytes that are not UTF-8 become U+FFFD: a config never fails to be written.
std::string Quote(const std::string& text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}
std::string QuoteOrNull(const std::string& text) { return text.empty() ? "null" : Quote(text); }
absl::string_view Bool(bool value) { return value ? "true" : "false"; }
std::string Number(std::int64_t value) { return absl::StrCat(value); }

// The shortest digits that read back as the same double; whole numbers without a fraction, as PEFT writes lora_alpha.
std::string Number(double value) {
  constexpr double kExactIntegers = 1LL << 53;
  if (value >= 0 && value < kExactIntegers && value == static_cast<double>(static_cast<std::int64_t>(value))) {
    return absl::StrCat(static_cast<std::int64_t>(value));
  }
  return nlohmann::json(value).dump();
}

// Items one a line between brackets, as Python's json.dumps(indent=2) writes a member of the top object.
std::string Bracketed(char open, const std::vector<std::string>& items, char close) {
  std::string text(1, open);
  for (std::size_t i = 0; i < items.size(); ++i) absl::StrAppend(&text, i == 0 ? "\n    " : ",\n    ", items[i]);
  if (!items.empty()) text += "\n  ";
  return text + close;
}

template <typename T>
std::string Pattern(const std::vector<std::pair<std::string, T>>& pattern) {
  std::vector<std::string> items;
  for (const auto& [key, value] : pattern) items.push_back(absl::StrCat(Quote(key), ": ", Number(value)));
  return Bracketed('{', items, '}');
}

std::string List(const std::vector<std::string>& texts) {
  std::vector<std::string> items;
  for (const std::string& text : texts) items.push_back(Quote(text));
  return Bracketed('[', items, ']');
}

std::string TargetModules(const PeftConfig& config) {
  if (config.target_modules_is_regex && config.target_modules.size() == 1) return Quote(config.target_modules[0]);
  return List(config.target_modules);
}

absl::string_view NameOf(PeftConfig::Bias bias) {
  if (bias == PeftConfig::Bias::kNone) return "none";
  return bias == PeftConfig::Bias::kAll ? "all" : "lora_only";
}

}  // namespace

std::string SerializePeftConfig(const PeftConfig& config) {
  if (config.kind != AdapterKind::kLora) return config.json;
  const std::vector<std::pair<absl::string_view, std::string>> members = {
      {"alpha_pattern", Pattern(config.alpha_pattern)},
      {"base_model_name_or_path", QuoteOrNull(config.base_model)},
      {"bias", absl::StrCat("\"", NameOf(config.bias), "\"")},
      {"fan_in_fan_out", std::string(Bool(config.fan_in_fan_out))},
      {"inference_mode", "true"},
      {"init_lora_weights", "true"},
      {"lora_alpha", Number(config.alpha)},
      {"lora_bias", std::string(Bool(config.lora_bias))},
      {"lora_dropout", "0.0"},
      {"modules_to_save", config.modules_to_save.empty() ? "null" : List(config.modules_to_save)},
      {"peft_type", "\"LORA\""},
      {"r", Number(config.rank)},
      {"rank_pattern", Pattern(config.rank_pattern)},
      {"target_modules", TargetModules(config)},
      {"task_type", QuoteOrNull(config.task_type)},
      {"use_dora", "false"},
      {"use_rslora", std::string(Bool(config.rslora))},
  };
  std::string json = "{";
  for (const auto& [key, value] : members) {
    absl::StrAppend(&json, json.size() == 1 ? "\n  \"" : ",\n  \"", key, "\": ", value);
  }
  return json + "\n}\n";
}

}  // namespace cairn
