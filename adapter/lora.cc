#include "adapter/lora.h"

#include <map>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "adapter/rank_table.h"
#include "adapter/safetensors_internal.h"
#include "base/limits.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

constexpr absl::string_view kPrefix = "base_model.model.";
constexpr absl::string_view kA = "lora_A.weight";
constexpr absl::string_view kB = "lora_B.weight";

struct Factors {
  const TensorInfo* a = nullptr;
  const TensorInfo* b = nullptr;
};
using FactorsByModule = std::map<std::string, Factors, std::less<>>;

absl::Status ModuleError(absl::string_view module, absl::string_view message) {
  return absl::InvalidArgumentError(absl::StrCat("module \"", absl::CHexEscape(module), "\": ", message));
}

// Splits base_model.model.<module>.<factor>. False for any other name.
bool SplitName(absl::string_view name, absl::string_view factor, absl::string_view& module) {
  if (!absl::ConsumePrefix(&name, kPrefix) || !absl::ConsumeSuffix(&name, factor)) return false;
  if (!absl::ConsumeSuffix(&name, ".") || name.empty()) return false;
  module = name;
  return true;
}

absl::Status NotAFactor(const SafetensorsHeader& header, const TensorInfo& tensor) {
  for (const TensorInfo& other : header.tensors) {
    if (absl::StrContains(other.name, ".lora_")) {
      return TensorError(tensor.name, absl::StrCat("expected ", kPrefix, "<module>.", kA, " or .", kB));
    }
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "a full state dict instead of an adapter: none of ", header.tensors.size(), " tensors is a LoRA factor (",
      kPrefix, "<module>.", kA, "); the first is \"", absl::CHexEscape(tensor.name), "\""));
}

absl::StatusOr<FactorsByModule> GroupByModule(const SafetensorsHeader& header) {
  if (header.tensors.empty()) return absl::InvalidArgumentError("the adapter has no tensors");
  FactorsByModule modules;
  for (const TensorInfo& tensor : header.tensors) {
    absl::string_view module;
    if (SplitName(tensor.name, kA, module)) {
      modules[std::string(module)].a = &tensor;
    } else if (SplitName(tensor.name, kB, module)) {
      modules[std::string(module)].b = &tensor;
    } else {
      return NotAFactor(header, tensor);
    }
  }
  return modules;
}

absl::Status CheckFactor(absl::string_view module, absl::string_view factor, const TensorInfo* tensor,
                         absl::string_view expected) {
  if (tensor == nullptr) return ModuleError(module, absl::StrCat(factor, ": missing"));
  const auto& shape = tensor->shape;
  if (shape.size() == 2 && shape[0] <= limits::kModuleDimMax && shape[1] <= limits::kModuleDimMax) {
    return absl::OkStatus();
  }
  return ModuleError(module, absl::StrCat(factor, ": expected ", expected, " with dimensions up to ",
                                          limits::kModuleDimMax, ", got ", ShapeString(shape)));
}

// PEFT's patterns count characters, ours bytes: in ASCII they are the same. No real module has another name.
absl::Status CheckModuleName(absl::string_view module) {
  for (char c : module) {
    if (!absl::ascii_isprint(c)) return ModuleError(module, "name: expected printable ASCII");
  }
  return absl::OkStatus();
}

TensorView ViewOf(const TensorInfo& tensor, absl::string_view bytes) {
  TensorView view{.name = tensor.name, .dtype = tensor.dtype, .shape = tensor.shape};
  if (!bytes.empty()) view.data = bytes.substr(tensor.begin, tensor.end - tensor.begin);
  return view;
}

absl::StatusOr<LoraModule> MakeModule(const std::string& name, const Factors& factors, const RankAndScale& expected,
                                      absl::string_view bytes) {
  CAIRN_RETURN_IF_ERROR(CheckModuleName(name));
  CAIRN_RETURN_IF_ERROR(CheckFactor(name, kA, factors.a, "[rank, d_in]"));
  CAIRN_RETURN_IF_ERROR(CheckFactor(name, kB, factors.b, "[d_out, rank]"));
  const auto& a = factors.a->shape;
  const auto& b = factors.b->shape;
  if (a[0] != expected.rank) {
    return ModuleError(name, absl::StrCat(kA, ": expected [", expected.rank, ", ", a[1], "] as ", kAdapterConfigFile,
                                          " gives rank ", expected.rank, ", got ", ShapeString(a)));
  }
  if (b[1] != expected.rank) {
    return ModuleError(name, absl::StrCat(kB, ": expected [", b[0], ", ", expected.rank, "] as ", kAdapterConfigFile,
                                          " gives rank ", expected.rank, ", got ", ShapeString(b)));
  }
  return LoraModule{
      name, a[1], b[0], expected.rank, expected.scale, ViewOf(*factors.a, bytes), ViewOf(*factors.b, bytes)};
}

// `bytes` is the whole file, or empty for views without data.
absl::StatusOr<Adapter> BuildLora(const SafetensorsHeader& header, const PeftConfig& config,
                                      absl::string_view bytes) {
  CAIRN_ASSIGN_OR_RETURN(const FactorsByModule factors, GroupByModule(header));
  CAIRN_ASSIGN_OR_RETURN(const RankTable table, RankTable::Compile(config));
  Adapter adapter{.config = config};
  adapter.modules.reserve(factors.size());
  for (const auto& [name, pair] : factors) {
    CAIRN_ASSIGN_OR_RETURN(LoraModule module, MakeModule(name, pair, table.Of(name), bytes));
    adapter.modules.push_back(std::move(module));
  }
  return adapter;
}

}  // namespace

std::string LoraAName(absl::string_view module) { return absl::StrCat(kPrefix, module, ".", kA); }
std::string LoraBName(absl::string_view module) { return absl::StrCat(kPrefix, module, ".", kB); }

absl::StatusOr<Adapter> DescribeAdapter(const SafetensorsHeader& header, const PeftConfig& config) {
  return BuildLora(header, config, {});
}

absl::StatusOr<Adapter> ParseAdapter(absl::string_view bytes, const PeftConfig& config) {
  CAIRN_ASSIGN_OR_RETURN(const SafetensorsHeader header, ReadSafetensorsHeader(bytes, bytes.size()));
  return BuildLora(header, config, bytes);
}

}  // namespace cairn
