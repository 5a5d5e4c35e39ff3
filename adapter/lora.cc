#include "adapter/lora.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "adapter/lora_keys.h"
#include "adapter/lora_shapes.h"
#include "adapter/rank_table.h"
#include "adapter/safetensors_internal.h"
#include "base/limits.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

using PartsByModule = std::map<std::string, LoraParts, std::less<>>;

constexpr char kNoTensors[] = "the adapter has no tensors";

absl::Status NotAFactor(const TensorView& tensor) {
  return TensorError(
      tensor.name, absl::StrCat("expected ", kPeftPrefix, "<module>.lora_A.weight or .lora_B.weight, or a tensor that ",
                                kAdapterConfigFile, " announces (bias, lora_bias, modules_to_save)"));
}

absl::Status FullStateDict(const std::vector<TensorView>& tensors) {
  return absl::InvalidArgumentError(absl::StrCat(
      "a full state dict instead of an adapter: none of ", tensors.size(), " tensors is a LoRA factor (", kPeftPrefix,
      "<module>.lora_A.weight); the first is \"", absl::CHexEscape(tensors.front().name), "\""));
}

// Sorts the tensors into parts of modules and others, in order of name.
absl::StatusOr<PartsByModule> TakeParts(const std::vector<TensorView>& tensors,
                                        std::vector<const TensorView*>& others) {
  PartsByModule modules;
  bool lora = false;
  for (const TensorView& tensor : tensors) {
    lora = lora || absl::StrContains(tensor.name, ".lora_");
    const std::optional<LoraKey> key = ParseLoraKey(tensor.name);
    if (!key) {
      others.push_back(&tensor);
      continue;
    }
    CAIRN_RETURN_IF_ERROR(modules[std::string(key->module)].Add(*key, tensor));
  }
  if (!lora) return FullStateDict(tensors);
  return modules;
}

// A tensor that is no part of a module, if the config announces it.
absl::StatusOr<DenseTensor> DenseOf(const TensorView& tensor, const PeftConfig& config, const PartsByModule& modules) {
  absl::string_view path = tensor.name;
  if (!absl::ConsumePrefix(&path, kPeftPrefix)) return NotAFactor(tensor);
  absl::string_view layer = path;
  // PEFT saves the weights of an adapted embedding beside its factors.
  const bool base = absl::ConsumeSuffix(&layer, ".base_layer.weight") && modules.contains(layer);
  if (base || IsAnnounced(path, config)) return DenseTensor{.view = tensor};
  return NotAFactor(tensor);
}

void SortByName(std::vector<DenseTensor>& tensors) {
  std::sort(tensors.begin(), tensors.end(), [](const auto& x, const auto& y) { return x.view.name < y.view.name; });
}

absl::StatusOr<Adapter> LoraOf(const std::vector<TensorView>& tensors, const PeftConfig& config) {
  std::vector<const TensorView*> others;
  CAIRN_ASSIGN_OR_RETURN(const PartsByModule modules, TakeParts(tensors, others));
  CAIRN_ASSIGN_OR_RETURN(const RankTable table, RankTable::Compile(config));
  Adapter adapter{.config = config};
  for (const TensorView* tensor : others) {
    CAIRN_ASSIGN_OR_RETURN(DenseTensor dense, DenseOf(*tensor, config, modules));
    adapter.tensors.push_back(std::move(dense));
  }
  adapter.modules.reserve(modules.size());
  for (const auto& [name, parts] : modules) {
    CAIRN_ASSIGN_OR_RETURN(LoraModule module, MakeModule(name, parts, table.Of(name)));
    if (parts.b_bias != nullptr) {
      CAIRN_RETURN_IF_ERROR(CheckFactorBias(module, *parts.b_bias, config));
      adapter.tensors.push_back({.view = *parts.b_bias, .scale = module.scale, .absolute = false});
    }
    adapter.modules.push_back(std::move(module));
  }
  SortByName(adapter.tensors);
  return adapter;
}

Adapter TensorsOf(const std::vector<TensorView>& tensors, const PeftConfig& config) {
  Adapter adapter{.config = config};
  adapter.tensors.reserve(tensors.size());
  for (const TensorView& tensor : tensors) adapter.tensors.push_back({.view = tensor});
  SortByName(adapter.tensors);
  return adapter;
}

}  // namespace

absl::StatusOr<Adapter> DescribeAdapter(const SafetensorsHeader& header, const PeftConfig& config) {
  std::vector<TensorView> tensors;
  tensors.reserve(header.tensors.size());
  for (const TensorInfo& tensor : header.tensors) tensors.push_back({tensor.name, tensor.dtype, tensor.shape, {}});
  return AdapterOf(tensors, config);
}

absl::StatusOr<Adapter> ParseAdapter(absl::string_view bytes, const PeftConfig& config) {
  CAIRN_ASSIGN_OR_RETURN(const Safetensors file, ParseSafetensors(bytes));
  return AdapterOf(file.tensors, config);
}

absl::StatusOr<Adapter> AdapterOf(const std::vector<TensorView>& tensors, const PeftConfig& config) {
  if (tensors.empty()) return absl::InvalidArgumentError(kNoTensors);
  if (config.kind == AdapterKind::kLora) return LoraOf(tensors, config);
  return TensorsOf(tensors, config);
}

}  // namespace cairn
