// Checks of an adapter against what its federation agreed on, and of its values.
#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "adapter/lora.h"
#include "base/limits.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

absl::Status ModuleError(absl::string_view module, absl::string_view message) {
  return absl::InvalidArgumentError(absl::StrCat("module \"", absl::CHexEscape(module), "\": ", message));
}

absl::Status CheckDim(absl::string_view module, absl::string_view what, std::int64_t dim) {
  if (dim > 0 && dim <= limits::kModuleDimMax) return absl::OkStatus();
  return ModuleError(module, absl::StrCat(what, ": expected 1 to ", limits::kModuleDimMax, ", got ", dim));
}

absl::Status CheckDims(const LoraModule& module, const ModuleSpec& spec) {
  if (module.d_in != spec.d_in) {
    return ModuleError(module.name, absl::StrCat("lora_A.weight: expected [rank, ", spec.d_in, "], got [", module.rank,
                                                 ", ", module.d_in, "]"));
  }
  if (module.d_out != spec.d_out) {
    return ModuleError(module.name, absl::StrCat("lora_B.weight: expected [", spec.d_out, ", rank], got [",
                                                 module.d_out, ", ", module.rank, "]"));
  }
  return absl::OkStatus();
}

absl::Status CheckModuleNames(const Adapter& adapter, const AdapterSpec& spec) {
  auto have = adapter.modules.begin();
  auto want = spec.modules.begin();
  for (; have != adapter.modules.end() && want != spec.modules.end(); ++have, ++want) {
    if (have->name < want->name) break;
    if (want->name < have->name) return ModuleError(want->name, "missing from the adapter");
  }
  if (have != adapter.modules.end()) return ModuleError(have->name, "unknown: the federation does not train it");
  if (want != spec.modules.end()) return ModuleError(want->name, "missing from the adapter");
  return absl::OkStatus();
}

absl::Status CheckFinite(const LoraModule& module, absl::string_view factor, const TensorView& tensor) {
  const std::size_t count = tensor.data.size() / SizeOf(tensor.dtype);
  const std::size_t index = FirstNonFinite(tensor.dtype, tensor.data.data(), count);
  if (index == count) return absl::OkStatus();
  float value = 0;
  ToFloat(tensor.dtype, tensor.data.data() + index * SizeOf(tensor.dtype), 1, &value);
  return ModuleError(module.name, absl::StrCat(factor, ": expected finite values, got ", value, " at index ", index));
}

}  // namespace

AdapterSpec SpecOf(const Adapter& adapter) {
  AdapterSpec spec{.base_model = adapter.config.base_model};
  spec.modules.reserve(adapter.modules.size());
  for (const LoraModule& module : adapter.modules) spec.modules.push_back({module.name, module.d_in, module.d_out});
  return spec;
}

absl::Status CheckSpec(const AdapterSpec& spec) {
  if (spec.base_model.size() > limits::kModelNameBytesMax) {
    return absl::InvalidArgumentError(absl::StrCat("base model: a name of ", spec.base_model.size(),
                                                   " bytes; expected at most ", limits::kModelNameBytesMax));
  }
  if (spec.modules.empty()) return absl::InvalidArgumentError("adapter spec: expected at least one module");
  const std::string* previous = nullptr;
  for (const ModuleSpec& module : spec.modules) {
    if (module.name.empty()) return absl::InvalidArgumentError("adapter spec: a module without a name");
    if (previous != nullptr && *previous >= module.name) {
      return ModuleError(module.name, absl::StrCat(*previous == module.name ? "duplicate" : "not in ascending order",
                                                   " after \"", absl::CHexEscape(*previous), "\""));
    }
    CAIRN_RETURN_IF_ERROR(CheckDim(module.name, "d_in", module.d_in));
    CAIRN_RETURN_IF_ERROR(CheckDim(module.name, "d_out", module.d_out));
    previous = &module.name;
  }
  return absl::OkStatus();
}

absl::Status CheckAgainstSpec(const Adapter& adapter, const AdapterSpec& spec) {
  const std::string& base = adapter.config.base_model;
  if (!base.empty() && !spec.base_model.empty() && base != spec.base_model) {
    return absl::InvalidArgumentError(absl::StrCat("base model: expected \"", absl::CHexEscape(spec.base_model),
                                                   "\", got \"", absl::CHexEscape(base), "\""));
  }
  CAIRN_RETURN_IF_ERROR(CheckModuleNames(adapter, spec));
  for (std::size_t i = 0; i < spec.modules.size(); ++i) {
    CAIRN_RETURN_IF_ERROR(CheckDims(adapter.modules[i], spec.modules[i]));
  }
  return absl::OkStatus();
}

absl::Status CheckFinite(const Adapter& adapter) {
  for (const LoraModule& module : adapter.modules) {
    CAIRN_RETURN_IF_ERROR(CheckFinite(module, "lora_A.weight", module.a));
    CAIRN_RETURN_IF_ERROR(CheckFinite(module, "lora_B.weight", module.b));
  }
  return absl::OkStatus();
}

}  // namespace cairn
