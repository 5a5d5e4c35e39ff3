#include "adapter/peft_config.h"

#include <algorithm>
#include <cmath>
#include <initializer_list>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
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

absl::Status ReadTargetModules(const JsonValue& json, PeftConfig& config) {
  const JsonValue* value = FindSet(json, "target_modules");
  if (value == nullptr) return absl::OkStatus();
  if (const auto* regex = value->As<std::string>()) {
    config.target_modules = {*regex};
    config.target_modules_is_regex = true;
    return absl::OkStatus();
  }
  const auto* list = value->As<JsonArray>();
  if (list == nullptr) return KeyError("target_modules", "a list of strings or a string", Describe(*value));
  for (const JsonValue& item : *list) {
    const auto* text = item.As<std::string>();
    if (text == nullptr) return KeyError("target_modules", "a list of strings or a string", Describe(item));
    config.target_modules.push_back(*text);
  }
  return absl::OkStatus();
}

bool IsOff(const JsonValue& value) {
  if (const auto* flag = value.As<bool>()) return !*flag;
  if (const auto* list = value.As<JsonArray>()) return list->empty();
  if (const auto* object = value.As<JsonObject>()) return object->empty();
  return false;
}

// Options that give the adapter parts or a meaning beyond scale * B * A.
absl::Status RefuseOther(const JsonValue& config) {
  for (absl::string_view key :
       {"use_dora", "lora_bias", "use_qalora", "modules_to_save", "layer_replication", "trainable_token_indices",
        "target_parameters", "alora_invocation_tokens", "arrow_config"}) {
    const JsonValue* value = FindSet(config, key);
    if (value != nullptr && !IsOff(*value)) {
      return KeyError(key, "it unset, since only plain LoRA is supported", Describe(*value));
    }
  }
  return absl::OkStatus();
}

// Some initialisations change the base weights, so that the adapter fits only that changed base.
absl::Status CheckInitialisation(const JsonValue& config) {
  const JsonValue* value = FindSet(config, "init_lora_weights");
  if (value == nullptr || value->As<bool>() != nullptr) return absl::OkStatus();
  const auto* text = value->As<std::string>();
  for (absl::string_view name : {"gaussian", "orthogonal", "eva"}) {
    if (text != nullptr && *text == name) return absl::OkStatus();
  }
  return KeyError("init_lora_weights",
                  "true, false, \"gaussian\", \"orthogonal\" or \"eva\", which leave the base as it is",
                  Describe(*value));
}

absl::Status CheckKind(const JsonValue& config) {
  const JsonValue* type = FindSet(config, "peft_type");
  const auto* name = type == nullptr ? nullptr : type->As<std::string>();
  if (name == nullptr || *name != "LORA") {
    return KeyError("peft_type", "\"LORA\"", type == nullptr ? "nothing" : Describe(*type));
  }
  std::string bias = "none";
  CAIRN_RETURN_IF_ERROR(ReadString(config, "bias", bias));
  if (bias != "none")
    return KeyError("bias", "\"none\"", absl::StrCat("\"", absl::CHexEscape(bias.substr(0, 64)), "\""));
  CAIRN_RETURN_IF_ERROR(CheckInitialisation(config));
  return RefuseOther(config);
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
  CAIRN_RETURN_IF_ERROR(CheckKind(*json));

  PeftConfig config;
  CAIRN_RETURN_IF_ERROR(ReadString(*json, "base_model_name_or_path", config.base_model));
  CAIRN_RETURN_IF_ERROR(ReadString(*json, "task_type", config.task_type));
  CAIRN_RETURN_IF_ERROR(ReadRequired(*json, "r", Rank, config.rank));
  CAIRN_RETURN_IF_ERROR(ReadRequired(*json, "lora_alpha", Alpha, config.alpha));
  CAIRN_RETURN_IF_ERROR(ReadBool(*json, "use_rslora", config.rslora));
  CAIRN_RETURN_IF_ERROR(ReadBool(*json, "fan_in_fan_out", config.fan_in_fan_out));
  CAIRN_RETURN_IF_ERROR(ReadTargetModules(*json, config));
  CAIRN_RETURN_IF_ERROR(ReadPattern(*json, "rank_pattern", Rank, config.rank_pattern));
  CAIRN_RETURN_IF_ERROR(ReadPattern(*json, "alpha_pattern", Alpha, config.alpha_pattern));
  return config;
}

}  // namespace cairn
