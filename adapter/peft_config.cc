#include "adapter/peft_config.h"

#include <cmath>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "adapter/adapter_kind.h"
#include "adapter/strict_json.h"
#include "base/limits.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

constexpr JsonBounds kConfigBounds = {.depth_max = 16, .values_max = 2 * limits::kTensorsMax};

absl::Status KeyError(absl::string_view key, absl::string_view expected, absl::string_view got) {
  return absl::InvalidArgumentError(
      absl::StrCat(kAdapterConfigFile, ": ", key, ": expected ", expected, ", got ", got));
}

// PEFT writes null for an option that is not set.
const JsonValue* FindSet(const JsonValue& config, absl::string_view key) {
  const JsonValue* value = config.Find(key);
  return value == nullptr || value->IsNull() ? nullptr : value;
}

absl::Status ReadString(const JsonValue& config, absl::string_view key, std::string& out) {
  const JsonValue* value = FindSet(config, key);
  if (value == nullptr) return absl::OkStatus();
  const auto* text = value->As<std::string>();
  if (text == nullptr) return KeyError(key, "a string", Describe(*value));
  if (text->size() > limits::kModelNameBytesMax) {
    return KeyError(key, absl::StrCat("at most ", limits::kModelNameBytesMax, " bytes"),
                    absl::StrCat(text->size(), " bytes"));
  }
  out = *text;
  return absl::OkStatus();
}

absl::Status ReadBool(const JsonValue& config, absl::string_view key, bool& out) {
  const JsonValue* value = FindSet(config, key);
  if (value == nullptr) return absl::OkStatus();
  const auto* flag = value->As<bool>();
  if (flag == nullptr) return KeyError(key, "true or false", Describe(*value));
  out = *flag;
  return absl::OkStatus();
}

absl::StatusOr<std::int64_t> Rank(const JsonValue& value, absl::string_view key) {
  const auto* rank = value.As<std::uint64_t>();
  if (rank == nullptr || *rank == 0 || *rank > static_cast<std::uint64_t>(limits::kRankMax)) {
    return KeyError(key, absl::StrCat("an integer from 1 to ", limits::kRankMax), Describe(value));
  }
  return static_cast<std::int64_t>(*rank);
}

absl::StatusOr<double> Alpha(const JsonValue& value, absl::string_view key) {
  double alpha = 0;
  if (const auto* integer = value.As<std::uint64_t>()) alpha = static_cast<double>(*integer);
  if (const auto* real = value.As<double>()) alpha = *real;
  if (!(alpha > 0) || !std::isfinite(alpha)) return KeyError(key, "a positive number", Describe(value));
  return alpha;
}

template <typename T>
absl::Status ReadRequired(const JsonValue& config, absl::string_view key,
                          absl::StatusOr<T> (*read)(const JsonValue&, absl::string_view), T& out) {
  const JsonValue* value = FindSet(config, key);
  if (value == nullptr) return KeyError(key, "a number", "nothing");
  CAIRN_ASSIGN_OR_RETURN(out, read(*value, key));
  return absl::OkStatus();
}

template <typename T>
absl::Status ReadPattern(const JsonValue& config, absl::string_view key,
                         absl::StatusOr<T> (*read)(const JsonValue&, absl::string_view),
                         std::vector<std::pair<std::string, T>>& out) {
  const JsonValue* value = FindSet(config, key);
  if (value == nullptr) return absl::OkStatus();
  const auto* object = value->As<JsonObject>();
  if (object == nullptr) return KeyError(key, "an object", Describe(*value));
  for (const auto& [pattern, item] : *object) {
    CAIRN_ASSIGN_OR_RETURN(T read_item,
                           read(item, absl::StrCat(key, "[\"", absl::CHexEscape(pattern.substr(0, 128)), "\"]")));
    out.emplace_back(pattern, read_item);
  }
  return absl::OkStatus();
}

absl::Status ReadStrings(const JsonValue& value, absl::string_view key, absl::string_view expected,
                         std::vector<std::string>& out) {
  const auto* list = value.As<JsonArray>();
  if (list == nullptr) return KeyError(key, expected, Describe(value));
  for (const JsonValue& item : *list) {
    const auto* text = item.As<std::string>();
    if (text == nullptr || text->empty()) return KeyError(key, expected, Describe(item));
    out.push_back(*text);
  }
  return absl::OkStatus();
}

absl::Status ReadTargetModules(const JsonValue& json, PeftConfig& config) {
  const JsonValue* value = FindSet(json, "target_modules");
  if (value == nullptr) return absl::OkStatus();
  if (const auto* regex = value->As<std::string>()) {
    config.target_modules = {*regex};
    config.target_modules_is_regex = true;
    return absl::OkStatus();
  }
  return ReadStrings(*value, "target_modules", "a list of strings or a string", config.target_modules);
}

absl::Status ReadBias(const JsonValue& json, PeftConfig::Bias& out) {
  std::string bias = "none";
  CAIRN_RETURN_IF_ERROR(ReadString(json, "bias", bias));
  if (bias == "none")
    out = PeftConfig::Bias::kNone;
  else if (bias == "all")
    out = PeftConfig::Bias::kAll;
  else if (bias == "lora_only")
    out = PeftConfig::Bias::kLoraOnly;
  else
    return KeyError("bias", "\"none\", \"all\" or \"lora_only\"", Describe(*json.Find("bias")));
  return absl::OkStatus();
}

absl::Status ReadLora(const JsonValue& json, PeftConfig& config) {
  CAIRN_RETURN_IF_ERROR(ReadRequired(json, "r", Rank, config.rank));
  CAIRN_RETURN_IF_ERROR(ReadRequired(json, "lora_alpha", Alpha, config.alpha));
  CAIRN_RETURN_IF_ERROR(ReadBool(json, "use_rslora", config.rslora));
  CAIRN_RETURN_IF_ERROR(ReadBool(json, "fan_in_fan_out", config.fan_in_fan_out));
  CAIRN_RETURN_IF_ERROR(ReadBias(json, config.bias));
  CAIRN_RETURN_IF_ERROR(ReadBool(json, "lora_bias", config.lora_bias));
  if (const JsonValue* modules = FindSet(json, "modules_to_save")) {
    CAIRN_RETURN_IF_ERROR(ReadStrings(*modules, "modules_to_save", "a list of names", config.modules_to_save));
  }
  CAIRN_RETURN_IF_ERROR(ReadTargetModules(json, config));
  CAIRN_RETURN_IF_ERROR(ReadPattern(json, "rank_pattern", Rank, config.rank_pattern));
  return ReadPattern(json, "alpha_pattern", Alpha, config.alpha_pattern);
}

}  // namespace

absl::StatusOr<PeftConfig> ParsePeftConfig(absl::string_view text) {
  if (text.size() > limits::kAdapterConfigBytesMax) {
    return absl::InvalidArgumentError(absl::StrCat(kAdapterConfigFile, ": expected at most ",
                                                   limits::kAdapterConfigBytesMax, " bytes, got ", text.size()));
  }
  absl::StatusOr<JsonValue> json = ParseStrictJson(text, kConfigBounds);
  if (!json.ok()) return absl::InvalidArgumentError(absl::StrCat(kAdapterConfigFile, ": ", json.status().message()));
  if (json->As<JsonObject>() == nullptr) return KeyError("the document", "an object", Describe(*json));
  const JsonValue* type = FindSet(*json, "peft_type");
  if (type == nullptr || type->As<std::string>() == nullptr) {
    return KeyError("peft_type", "a string such as \"LORA\"", type == nullptr ? "nothing" : Describe(*type));
  }

  PeftConfig config;
  CAIRN_RETURN_IF_ERROR(ReadString(*json, "peft_type", config.peft_type));
  AdapterKindAndReason kind = KindOf(config.peft_type, *json);
  config.kind = kind.kind;
  config.kind_reason = std::move(kind.reason);
  config.json = std::string(text);
  CAIRN_RETURN_IF_ERROR(ReadString(*json, "base_model_name_or_path", config.base_model));
  CAIRN_RETURN_IF_ERROR(ReadString(*json, "task_type", config.task_type));
  if (config.kind == AdapterKind::kLora) CAIRN_RETURN_IF_ERROR(ReadLora(*json, config));
  return config;
}

}  // namespace cairn
