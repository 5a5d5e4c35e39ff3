#include "adapter/lora_shapes.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "adapter/safetensors_internal.h"
#include "base/limits.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

using Shape = std::vector<std::int64_t>;

// PEFT's patterns count characters, ours bytes: in ASCII they are the same. No real module has another name.
absl::Status CheckModuleName(absl::string_view module) {
  for (char c : module) {
    if (!absl::ascii_isprint(c)) return ModuleError(module, "name: expected printable ASCII");
  }
  return absl::OkStatus();
}

absl::string_view NameOfA(bool embedding) { return NameOf(embedding ? LoraPart::kEmbeddingA : LoraPart::kA); }
absl::string_view NameOfB(bool embedding) { return NameOf(embedding ? LoraPart::kEmbeddingB : LoraPart::kB); }

absl::Status CheckFloat(absl::string_view module, absl::string_view part, const TensorView& tensor) {
  if (IsFloat(tensor.dtype)) return absl::OkStatus();
  return ModuleError(module, absl::StrCat(part, ": expected F64, F32, F16 or BF16, got ", NameOf(tensor.dtype)));
}

absl::Status CheckFactor(absl::string_view module, absl::string_view part, const TensorView* tensor, std::size_t dims,
                         absl::string_view expected) {
  if (tensor == nullptr) return ModuleError(module, absl::StrCat(part, ": missing"));
  const Shape& shape = tensor->shape;
  std::int64_t width = 1;  // No overflow: the file has fewer than 2^63 bytes.
  for (std::size_t i = 1; i < shape.size(); ++i) width *= shape[i];
  if (shape.size() != dims || shape[0] > limits::kModuleDimMax || width > limits::kModuleDimMax) {
    return ModuleError(module, absl::StrCat(part, ": expected ", expected, " with dimensions up to ",
                                            limits::kModuleDimMax, ", got ", ShapeString(shape)));
  }
  return CheckFloat(module, part, *tensor);
}

// Orientation comes from the names alone. A linear layer's and an embedding's factors have 2 dimensions, those of a
// convolution one more for each of the kernel's.
absl::StatusOr<Layer> LayerOf(absl::string_view module, const LoraParts& parts) {
  const std::size_t dims = parts.a == nullptr ? 2 : parts.a->shape.size();
  const bool conv = !parts.embedding && dims == 4;
  if (!parts.embedding && (dims == 3 || dims == 5)) {
    return ModuleError(module, absl::StrCat(NameOfA(false), ": a ", dims - 2, "-d convolution, ",
                                            ShapeString(parts.a->shape), "; only 2-d ones are supported"));
  }
  CAIRN_RETURN_IF_ERROR(CheckFactor(module, NameOfA(parts.embedding), parts.a, conv ? 4 : 2,
                                    conv ? "[rank, channels, height, width]" : "[rank, d_in]"));
  CAIRN_RETURN_IF_ERROR(CheckFactor(module, NameOfB(parts.embedding), parts.b, conv ? 4 : 2,
                                    conv ? "[d_out, rank / groups, 1, 1]" : "[d_out, rank]"));
  if (parts.embedding) return Layer{.kind = Layer::Kind::kEmbedding};
  if (!conv) return Layer{};
  return Layer{.kind = Layer::Kind::kConv2d, .height = parts.a->shape[2], .width = parts.a->shape[3]};
}

absl::Status CheckRank(absl::string_view module, absl::string_view part, const Shape& got, const Shape& expected,
                       std::int64_t rank) {
  if (got == expected) return absl::OkStatus();
  return ModuleError(module, absl::StrCat(part, ": expected ", ShapeString(expected), " as ", kAdapterConfigFile,
                                          " gives rank ", rank, ", got ", ShapeString(got)));
}

// rank / B.shape[1], where that is a number of groups.
std::int64_t GroupsOf(const Layer& layer, std::int64_t rank, const Shape& b) {
  if (layer.kind != Layer::Kind::kConv2d || rank % b[1] != 0 || b[0] % (rank / b[1]) != 0) return 1;
  return rank / b[1];
}

TensorView AsMatrix(const TensorView& tensor) {
  TensorView matrix = tensor;
  matrix.shape = {tensor.shape[0], tensor.elements() / tensor.shape[0]};
  return matrix;
}

absl::Status CheckCore(const LoraModule& module) {
  const absl::string_view part = NameOf(LoraPart::kCore);
  const Shape square = {module.rank, module.rank};
  if (module.layer.kind != Layer::Kind::kLinear) {
    return ModuleError(module.name, absl::StrCat(part, ": expected a linear layer, got ", NameOf(module.layer)));
  }
  CAIRN_RETURN_IF_ERROR(CheckRank(module.name, part, module.core->shape, square, module.rank));
  return CheckFloat(module.name, part, *module.core);
}

}  // namespace

absl::Status ModuleError(absl::string_view module, absl::string_view message) {
  return absl::InvalidArgumentError(absl::StrCat("module \"", absl::CHexEscape(module), "\": ", message));
}

absl::Status LoraParts::Add(const LoraKey& key, const TensorView& tensor) {
  const bool in_embedding = key.part == LoraPart::kEmbeddingA || key.part == LoraPart::kEmbeddingB;
  const bool first = a == nullptr && b == nullptr && core == nullptr && b_bias == nullptr;
  if (!first && embedding != in_embedding) {
    return ModuleError(key.module, absl::StrCat(NameOf(key.part), ": an embedding's factor beside another layer's"));
  }
  embedding = in_embedding;
  const TensorView** slot = &a;
  if (key.part == LoraPart::kB || key.part == LoraPart::kEmbeddingB) slot = &b;
  if (key.part == LoraPart::kCore) slot = &core;
  if (key.part == LoraPart::kBBias) slot = &b_bias;
  if (*slot != nullptr) return ModuleError(key.module, absl::StrCat(NameOf(key.part), ": two of them"));
  *slot = &tensor;
  return absl::OkStatus();
}

absl::StatusOr<LoraModule> MakeModule(const std::string& name, const LoraParts& parts, const RankAndScale& expected) {
  CAIRN_RETURN_IF_ERROR(CheckModuleName(name));
  CAIRN_ASSIGN_OR_RETURN(Layer layer, LayerOf(name, parts));
  layer.groups = GroupsOf(layer, expected.rank, parts.b->shape);
  LoraModule module{.name = name,
                    .layer = layer,
                    .rank = expected.rank,
                    .scale = expected.scale,
                    .a = AsMatrix(*parts.a),
                    .b = AsMatrix(*parts.b)};
  module.d_in = module.a.shape[1];
  module.d_out = module.b.shape[0];
  CAIRN_RETURN_IF_ERROR(CheckRank(name, NameOfA(parts.embedding), parts.a->shape,
                                  LoraAShape(layer, module.d_in, module.rank), module.rank));
  CAIRN_RETURN_IF_ERROR(CheckRank(name, NameOfB(parts.embedding), parts.b->shape,
                                  LoraBShape(layer, module.d_out, module.rank), module.rank));
  if (parts.core != nullptr) {
    module.core = *parts.core;
    CAIRN_RETURN_IF_ERROR(CheckCore(module));
  }
  return module;
}

absl::Status CheckFactorBias(const LoraModule& module, const TensorView& bias, const PeftConfig& config) {
  const absl::string_view part = NameOf(LoraPart::kBBias);
  if (!config.lora_bias) {
    return ModuleError(module.name,
                       absl::StrCat(part, ": expected none, as ", kAdapterConfigFile, " has no lora_bias"));
  }
  if (bias.shape != Shape{module.d_out}) {
    return ModuleError(
        module.name, absl::StrCat(part, ": expected ", ShapeString({module.d_out}), ", got ", ShapeString(bias.shape)));
  }
  return CheckFloat(module.name, part, bias);
}

}  // namespace cairn
