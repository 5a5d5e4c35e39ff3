// The base model's weights: names to float32 tensors, kept as a safetensors file.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "simulation/model/model_config.h"

namespace cairn {

struct Weights {
  ModelConfig config;
  std::map<std::string, at::Tensor> tensors;  // Exactly those of WeightsOf(config).
  std::string base_model;  // base_model_name_or_path of adapters: names the file's content. May be empty.

  const at::Tensor& at(const std::string& name) const { return tensors.at(name); }
  Weights Clone() const;
};

// Random weights: projections and embeddings uniform in +-sqrt(3 / d_in), norms 1.
absl::StatusOr<Weights> InitWeights(const ModelConfig& config, std::uint64_t seed);

absl::Status SaveWeights(const Weights& weights, const std::filesystem::path& file);
// INVALID_ARGUMENT when a tensor of the model is missing, superfluous, or has another shape.
absl::StatusOr<Weights> LoadWeights(const std::filesystem::path& file);

// Row-major float32 copies between tensors and plain memory.
at::Tensor TensorOf(const std::vector<float>& values, const std::vector<std::int64_t>& shape);
absl::string_view BytesOf(const at::Tensor& contiguous_float);

}  // namespace cairn
