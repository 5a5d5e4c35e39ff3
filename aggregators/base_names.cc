#include "aggregators/base_names.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"

namespace cairn {
namespace {

// Whether `name` is `tail` with more parts in front. A tail of a single part would say too little.
bool EndsInParts(absl::string_view name, absl::string_view tail) {
  return absl::StrContains(tail, '.') && absl::ConsumeSuffix(&name, tail) && absl::EndsWith(name, ".");
}

}  // namespace

BaseNames::BaseNames(const BaseModel& base) {
  for (std::size_t s = 0; s < base.shards().size(); ++s) {
    const std::vector<TensorInfo>& tensors = base.shards()[s].header.tensors;
    for (std::size_t t = 0; t < tensors.size(); ++t) names_.emplace_back(tensors[t].name, BasePlace{s, t});
  }
  std::sort(names_.begin(), names_.end());
}

absl::StatusOr<BasePlace> BaseNames::Find(absl::string_view name) const {
  const auto exact = std::lower_bound(names_.begin(), names_.end(), name,
                                      [](const auto& entry, absl::string_view key) { return entry.first < key; });
  if (exact != names_.end() && exact->first == name) return exact->second;
  std::vector<const std::pair<std::string, BasePlace>*> found;
  for (const auto& entry : names_) {
    if (EndsInParts(entry.first, name) || EndsInParts(name, entry.first)) found.push_back(&entry);
  }
  if (found.size() == 1) return found.front()->second;
  if (found.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("the base model has no tensor \"", absl::CHexEscape(name), "\""));
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "the base model has no tensor \"", absl::CHexEscape(name), "\", and more than one that ends like it: \"",
      absl::CHexEscape(found[0]->first), "\" and \"", absl::CHexEscape(found[1]->first), "\""));
}

BaseEffect EffectOf(absl::string_view adapter_tensor) {
  absl::ConsumePrefix(&adapter_tensor, "base_model.model.");
  BaseEffect effect;
  absl::string_view module = adapter_tensor;
  if (absl::ConsumeSuffix(&module, ".lora_B.bias")) {
    effect = {absl::StrCat(module, ".bias"), true};
  } else {
    effect = {absl::StrReplaceAll(adapter_tensor, {{".base_layer.", "."}, {".modules_to_save.", "."}}), false};
  }
  return effect;
}

}  // namespace cairn
