#include "aggregators/base_names.h"

#include <string>
#include <vector>

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

absl::StatusOr<TensorFiles> OpenBaseModel(const std::filesystem::path& path) {
  const std::string name = path.filename().native();
  absl::string_view stem = name;
  if (!absl::ConsumeSuffix(&stem, ".safetensors.index.json")) return TensorFiles::Open(path, kBaseModelStem);
  return TensorFiles::Open(path.has_parent_path() ? path.parent_path() : ".", stem);
}

absl::StatusOr<std::size_t> BaseNames::Find(absl::string_view name) const {
  const std::vector<TensorView>& tensors = base_.tensors();
  std::vector<std::size_t> found;
  for (std::size_t t = 0; t < tensors.size(); ++t) {
    if (tensors[t].name == name) return t;
    if (EndsInParts(tensors[t].name, name) || EndsInParts(name, tensors[t].name)) found.push_back(t);
  }
  if (found.size() == 1) return found.front();
  if (found.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("the base model has no tensor \"", absl::CHexEscape(name), "\""));
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "the base model has no tensor \"", absl::CHexEscape(name), "\", and more than one that ends like it: \"",
      absl::CHexEscape(tensors[found[0]].name), "\" and \"", absl::CHexEscape(tensors[found[1]].name), "\""));
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
