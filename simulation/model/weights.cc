#include "simulation/model/weights.h"

#include <ATen/ATen.h>

#include <cmath>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "adapter/safetensors.h"
#include "base/digest.h"
#include "base/files.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "simulation/model/random.h"
#include "simulation/model/torch_guard.h"

namespace cairn {
namespace {

constexpr std::size_t kBaseFileBytesMax = 4 * limits::kGiB;

std::vector<float> InitialValues(const WeightSpec& spec, std::uint64_t seed) {
  std::int64_t count = 1;
  for (std::int64_t dim : spec.shape) count *= dim;
  std::vector<float> values(count, 1.0f);
  if (spec.shape.size() < 2) return values;  // A norm's gain.
  // Embeddings are also the output projection, so that their fan-in is the width as well.
  const float bound = std::sqrt(3.0f / static_cast<float>(spec.shape[1])) * (spec.adapted ? 1.0f : 0.3f);
  Random random(SeedOf(seed, {"init", spec.name}));
  for (float& value : values) value = bound * (2 * random.Uniform() - 1);
  return values;
}

absl::StatusOr<at::Tensor> FromView(const TensorView& view, const WeightSpec& spec) {
  if (view.shape != spec.shape || view.dtype != DType::kF32) {
    return absl::InvalidArgumentError(absl::StrCat("tensor ", spec.name, ": expected F32 [",
                                                   absl::StrJoin(spec.shape, ", "), "], got ", NameOf(view.dtype), " [",
                                                   absl::StrJoin(view.shape, ", "), "]"));
  }
  at::Tensor out = at::empty(spec.shape, at::kFloat);
  std::memcpy(out.data_ptr<float>(), view.data.data(), view.data.size());
  return out;
}

absl::StatusOr<Weights> FromFile(const Safetensors& file) {
  Weights weights;
  CAIRN_ASSIGN_OR_RETURN(weights.config, ModelConfigFromMetadata(file.metadata));
  const std::vector<WeightSpec> specs = WeightsOf(weights.config);
  if (file.tensors.size() != specs.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected ", specs.size(), " tensors of a cairn byte model, got ", file.tensors.size()));
  }
  for (std::size_t i = 0; i < specs.size(); ++i) {  // Both ascend by name.
    if (file.tensors[i].name != specs[i].name) {
      return absl::InvalidArgumentError(
          absl::StrCat("expected tensor ", specs[i].name, ", got ", file.tensors[i].name));
    }
    CAIRN_ASSIGN_OR_RETURN(weights.tensors[specs[i].name], FromView(file.tensors[i], specs[i]));
  }
  return weights;
}

}  // namespace

Weights Weights::Clone() const {
  Weights copy{config, {}, base_model};
  for (const auto& [name, tensor] : tensors) copy.tensors[name] = tensor.detach().clone();
  return copy;
}

absl::StatusOr<Weights> InitWeights(const ModelConfig& config, std::uint64_t seed) {
  CAIRN_RETURN_IF_ERROR(CheckModelConfig(config));
  Weights weights{config, {}, ""};
  for (const WeightSpec& spec : WeightsOf(config)) {
    weights.tensors[spec.name] = TensorOf(InitialValues(spec, seed), spec.shape);
  }
  return weights;
}

absl::Status SaveWeights(const Weights& weights, const std::filesystem::path& file) {
  std::vector<TensorView> views;
  for (const WeightSpec& spec : WeightsOf(weights.config)) {
    views.push_back({spec.name, DType::kF32, spec.shape, BytesOf(weights.at(spec.name))});
  }
  CAIRN_ASSIGN_OR_RETURN(const std::string bytes, SerializeSafetensors(views, ToMetadata(weights.config)));
  return WriteFileAtomically(file, bytes);
}

absl::StatusOr<Weights> LoadWeights(const std::filesystem::path& file) {
  CAIRN_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(file, kBaseFileBytesMax));
  CAIRN_ASSIGN_OR_RETURN(const Safetensors parsed, ParseSafetensors(bytes));
  absl::StatusOr<Weights> weights = FromFile(parsed);
  if (!weights.ok()) {
    return absl::Status(weights.status().code(), absl::StrCat(file.string(), ": ", weights.status().message()));
  }
  weights->base_model = absl::StrCat("cairn/byte-lm-", Sha256Hex(bytes).substr(0, 12));
  return weights;
}

at::Tensor TensorOf(const std::vector<float>& values, const std::vector<std::int64_t>& shape) {
  at::Tensor out = at::empty(shape, at::kFloat);
  std::memcpy(out.data_ptr<float>(), values.data(), values.size() * sizeof(float));
  return out;
}

absl::string_view BytesOf(const at::Tensor& contiguous_float) {
  return {reinterpret_cast<const char*>(contiguous_float.data_ptr<float>()),
          static_cast<std::size_t>(contiguous_float.numel()) * sizeof(float)};
}

}  // namespace cairn
