// Checks of an adapter against what its federation agreed on, and of its values.
#include <algorithm>
#include <string>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "adapter/find.h"
#include "adapter/lora.h"
#include "adapter/lora_keys.h"
#include "adapter/lora_shapes.h"
#include "adapter/safetensors_internal.h"
#include "base/limits.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

absl::Status CheckDim(absl::string_view module, absl::string_view what, std::int64_t dim) {
  if (dim > 0 && dim <= limits::kModuleDimMax) return absl::OkStatus();
  return ModuleError(module, absl::StrCat(what, ": expected 1 to ", limits::kModuleDimMax, ", got ", dim));
}

absl::Status CheckBase(absl::string_view expected, absl::string_view got) {
  if (expected.empty() || got.empty() || expected == got) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("base model: expected \"", absl::CHexEscape(expected), "\", got \"", absl::CHexEscape(got), "\""));
}

absl::string_view PartName(const Layer& layer, LoraPart linear, LoraPart embedding) {
  return NameOf(layer.kind == Layer::Kind::kEmbedding ? embedding : linear);
}

// "[rank, 3, 3, 3]"
std::string AnyRankA(const ModuleSpec& spec) {
  const auto shape = LoraAShape(spec.layer, spec.d_in, 1);
  return absl::StrCat("[rank, ", absl::StrJoin(shape.begin() + 1, shape.end(), ", "), "]");
}

std::string AnyRankB(const ModuleSpec& spec) {
  if (spec.layer.kind != Layer::Kind::kConv2d) return absl::StrCat("[", spec.d_out, ", rank]");
  return absl::StrCat("[", spec.d_out, ", rank / ", spec.layer.groups, ", 1, 1]");
}

// `rank` 0: not known.
absl::Status CheckSame(const ModuleSpec& got, const ModuleSpec& want, std::int64_t rank) {
  if (got.layer != want.layer) {
    return ModuleError(got.name, absl::StrCat("layer: expected ", NameOf(want.layer), ", got ", NameOf(got.layer)));
  }
  if (got.d_in != want.d_in) {
    return ModuleError(
        got.name,
        absl::StrCat(PartName(got.layer, LoraPart::kA, LoraPart::kEmbeddingA), ": expected ", AnyRankA(want), ", got ",
                     rank == 0 ? AnyRankA(got) : ShapeString(LoraAShape(got.layer, got.d_in, rank))));
  }
  if (got.d_out != want.d_out) {
    return ModuleError(
        got.name,
        absl::StrCat(PartName(got.layer, LoraPart::kB, LoraPart::kEmbeddingB), ": expected ", AnyRankB(want), ", got ",
                     rank == 0 ? AnyRankB(got) : ShapeString(LoraBShape(got.layer, got.d_out, rank))));
  }
  return absl::OkStatus();
}

absl::Status CheckSame(const TensorSpec& got, const TensorSpec& want) {
  if (got.shape == want.shape) return absl::OkStatus();
  return TensorError(got.name, absl::StrCat("expected ", ShapeString(want.shape), ", got ", ShapeString(got.shape)));
}
absl::Status CheckSame(const ModuleSpec& got, const ModuleSpec& want) { return CheckSame(got, want, 0); }

ModuleSpec SpecOf(const LoraModule& module) { return {module.name, module.d_in, module.d_out, module.layer}; }

template <typename Spec>
const Spec* Find(const std::vector<Spec>& specs, const std::string& name) {
  return FindByName(specs, name, [](const Spec& spec) -> absl::string_view { return spec.name; });
}

template <typename Spec>
absl::StatusOr<std::vector<Spec>> Merge(const std::vector<Spec>& x, const std::vector<Spec>& y) {
  std::vector<Spec> all;
  all.reserve(std::max(x.size(), y.size()));
  auto left = x.begin();
  for (const Spec& right : y) {
    while (left != x.end() && left->name < right.name) all.push_back(*left++);
    if (left != x.end() && left->name == right.name) {
      CAIRN_RETURN_IF_ERROR(CheckSame(right, *left));
      ++left;
    }
    all.push_back(right);
  }
  all.insert(all.end(), left, x.end());
  return all;
}

template <typename Spec, typename Error>
absl::Status CheckNames(const std::vector<Spec>& specs, absl::string_view what, const Error& error) {
  const std::string* previous = nullptr;
  for (const Spec& spec : specs) {
    if (spec.name.empty()) return absl::InvalidArgumentError(absl::StrCat("adapter spec: a ", what, " without a name"));
    if (previous != nullptr && *previous >= spec.name) {
      return error(spec.name, absl::StrCat(*previous == spec.name ? "duplicate" : "not in ascending order", " after \"",
                                           absl::CHexEscape(*previous), "\""));
    }
    previous = &spec.name;
  }
  return absl::OkStatus();
}

absl::Status CheckLayer(const ModuleSpec& module) {
  const Layer& layer = module.layer;
  const bool plain = layer.height == 1 && layer.width == 1 && layer.groups == 1;
  const auto valid = [](std::int64_t dim) { return dim > 0 && dim <= limits::kModuleDimMax; };
  const bool conv = layer.kind == Layer::Kind::kConv2d && valid(layer.height) && valid(layer.width) &&
                    valid(layer.groups) && module.d_in % (layer.height * layer.width) == 0 &&
                    module.d_out % layer.groups == 0;
  if (conv || (plain && layer.kind != Layer::Kind::kConv2d)) return absl::OkStatus();
  return ModuleError(module.name, absl::StrCat("layer: ", NameOf(layer), " does not fit d_in ", module.d_in,
                                               " and d_out ", module.d_out));
}

absl::Status CheckValues(const TensorView& tensor, absl::FunctionRef<absl::Status(std::string)> error) {
  if (!IsFloat(tensor.dtype)) return absl::OkStatus();
  const std::size_t count = tensor.data.size() / SizeOf(tensor.dtype);
  const std::size_t index = FirstNonFinite(tensor.dtype, tensor.data.data(), count);
  if (index == count) return absl::OkStatus();
  float value = 0;
  ToFloat(tensor.dtype, tensor.data.data() + index * SizeOf(tensor.dtype), 1, &value);
  return error(absl::StrCat("expected finite values, got ", value, " at index ", index));
}

absl::Status CheckValues(const LoraModule& module, absl::string_view part, const TensorView& tensor) {
  return CheckValues(
      tensor, [&](const std::string& message) { return ModuleError(module.name, absl::StrCat(part, ": ", message)); });
}

}  // namespace

AdapterSpec SpecOf(const Adapter& adapter) {
  AdapterSpec spec{.base_model = adapter.config.base_model};
  spec.modules.reserve(adapter.modules.size());
  for (const LoraModule& module : adapter.modules) spec.modules.push_back(SpecOf(module));
  for (const DenseTensor& tensor : adapter.tensors) spec.tensors.push_back({tensor.view.name, tensor.view.shape});
  return spec;
}

absl::StatusOr<AdapterSpec> UnionOf(const AdapterSpec& x, const AdapterSpec& y) {
  CAIRN_RETURN_IF_ERROR(CheckBase(x.base_model, y.base_model));
  AdapterSpec all{.base_model = x.base_model.empty() ? y.base_model : x.base_model};
  CAIRN_ASSIGN_OR_RETURN(all.modules, Merge(x.modules, y.modules));
  CAIRN_ASSIGN_OR_RETURN(all.tensors, Merge(x.tensors, y.tensors));
  return all;
}

absl::Status CheckSpec(const AdapterSpec& spec) {
  if (spec.base_model.size() > limits::kModelNameBytesMax) {
    return absl::InvalidArgumentError(absl::StrCat("base model: a name of ", spec.base_model.size(),
                                                   " bytes; expected at most ", limits::kModelNameBytesMax));
  }
  if (spec.modules.empty() && spec.tensors.empty()) {
    return absl::InvalidArgumentError("adapter spec: expected at least one module or tensor");
  }
  CAIRN_RETURN_IF_ERROR(CheckNames(spec.modules, "module", ModuleError));
  CAIRN_RETURN_IF_ERROR(CheckNames(spec.tensors, "tensor", TensorError));
  for (const ModuleSpec& module : spec.modules) {
    CAIRN_RETURN_IF_ERROR(CheckDim(module.name, "d_in", module.d_in));
    CAIRN_RETURN_IF_ERROR(CheckDim(module.name, "d_out", module.d_out));
    CAIRN_RETURN_IF_ERROR(CheckLayer(module));
  }
  for (const TensorSpec& tensor : spec.tensors) {
    CAIRN_RETURN_IF_ERROR(CheckTensorName(tensor.name));
    CAIRN_RETURN_IF_ERROR(TensorBytes(DType::kF64, tensor.shape, tensor.name).status());
  }
  return absl::OkStatus();
}

absl::Status CheckAgainstSpec(const Adapter& adapter, const AdapterSpec& spec) {
  CAIRN_RETURN_IF_ERROR(CheckBase(spec.base_model, adapter.config.base_model));
  for (const LoraModule& module : adapter.modules) {
    const ModuleSpec* want = Find(spec.modules, module.name);
    if (want == nullptr) return ModuleError(module.name, "unknown: the federation does not train it");
    CAIRN_RETURN_IF_ERROR(CheckSame(SpecOf(module), *want, module.rank));
  }
  for (const DenseTensor& tensor : adapter.tensors) {
    const TensorSpec* want = Find(spec.tensors, tensor.view.name);
    if (want == nullptr) return TensorError(tensor.view.name, "unknown: the federation does not train it");
    CAIRN_RETURN_IF_ERROR(CheckSame(TensorSpec{tensor.view.name, tensor.view.shape}, *want));
  }
  return absl::OkStatus();
}

absl::Status CheckFinite(const Adapter& adapter) {
  for (const LoraModule& module : adapter.modules) {
    CAIRN_RETURN_IF_ERROR(CheckValues(module, PartName(module.layer, LoraPart::kA, LoraPart::kEmbeddingA), module.a));
    CAIRN_RETURN_IF_ERROR(CheckValues(module, PartName(module.layer, LoraPart::kB, LoraPart::kEmbeddingB), module.b));
    if (module.core) CAIRN_RETURN_IF_ERROR(CheckValues(module, NameOf(LoraPart::kCore), *module.core));
  }
  for (const DenseTensor& tensor : adapter.tensors) {
    CAIRN_RETURN_IF_ERROR(
        CheckValues(tensor.view, [&](const std::string& message) { return TensorError(tensor.view.name, message); }));
  }
  return absl::OkStatus();
}

}  // namespace cairn
