#include "aggregators/same_config.h"

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace cairn {
namespace {

using Json = nlohmann::ordered_json;  // Of rank_pattern the first key that matches wins.

constexpr std::size_t kShownMax = 100;
constexpr char kDropout[] = "dropout";  // lora_dropout, vera_dropout, ...: of training only.

// What the trainer or the loader wants to know and the forward pass does not. The base model is compared as a name
// elsewhere (adapter/lora.h).
constexpr absl::string_view kOfNoConsequence[] = {
    "auto_mapping",          "base_model_name_or_path",
    "ephemeral_gpu_offload", "inference_mode",
    "peft_version",          "revision",
    "runtime_config",        "task_type",
};

bool Matters(absl::string_view key) {
  return !absl::EndsWith(key, kDropout) &&
         std::find(std::begin(kOfNoConsequence), std::end(kOfNoConsequence), key) == std::end(kOfNoConsequence);
}

bool IsText(const Json& value) { return value.is_string(); }

// Null for what is as good as absent, and lists of texts in order.
Json Plain(const Json& object, const std::string& key) {
  const auto found = object.find(key);
  if (found == object.end() || *found == Json(false) || *found == Json("")) return nullptr;
  if (found->is_structured() && found->empty()) return nullptr;
  Json value = *found;
  if (value.is_array() && std::all_of(value.begin(), value.end(), IsText)) std::sort(value.begin(), value.end());
  return value;
}

std::string Shown(const Json& value) {
  if (value.is_null()) return "nothing";
  std::string text = value.dump(-1, ' ', true, Json::error_handler_t::replace);  // ASCII: cut anywhere.
  return text.size() <= kShownMax ? text : absl::StrCat(text.substr(0, kShownMax), "...");
}

}  // namespace

std::optional<ConfigDifference> DifferenceOf(absl::string_view x, absl::string_view y) {
  const Json ours = Json::parse(x.begin(), x.end(), nullptr, false);
  const Json theirs = Json::parse(y.begin(), y.end(), nullptr, false);
  std::set<std::string> keys;
  for (const auto& [key, value] : ours.items()) keys.insert(key);
  for (const auto& [key, value] : theirs.items()) keys.insert(key);
  for (const std::string& key : keys) {
    if (!Matters(key)) continue;
    const Json own = Plain(ours, key), other = Plain(theirs, key);
    if (own != other) return ConfigDifference{key, Shown(own), Shown(other)};
  }
  return std::nullopt;
}

}  // namespace cairn
