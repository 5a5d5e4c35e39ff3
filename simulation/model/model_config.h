// The shape of the byte-level language model and the names of its parts. No tensors here.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace cairn {

// One token per byte: no tokenizer to agree on between clients.
inline constexpr std::int64_t kVocabulary = 256;

struct ModelConfig {
  std::int64_t width = 96;  // Of the residual stream; a multiple of `heads`.
  std::int64_t layers = 3;
  std::int64_t heads = 4;
  std::int64_t context = 96;  // Bytes of one training window.
  friend bool operator==(const ModelConfig&, const ModelConfig&) = default;

  std::int64_t mlp_width() const { return 4 * width; }
};

// INVALID_ARGUMENT names the field, its range and the value.
absl::Status CheckModelConfig(const ModelConfig& config);

// One weight of the model. `adapted` weights are the linear projections that LoRA adapts.
struct WeightSpec {
  std::string name;                 // In the base file: "layers.0.attn.q_proj.weight".
  std::vector<std::int64_t> shape;  // Projections: [d_out, d_in].
  bool adapted = false;

  std::string module() const;  // `name` without ".weight": the name in an adapter.
};
std::vector<WeightSpec> WeightsOf(const ModelConfig& config);  // Ascending by name.

// The last parts of the names of adapted modules, as PEFT's target_modules has them.
std::vector<std::string> TargetModules();

// The config as safetensors metadata, and back. INVALID_ARGUMENT names the key that is missing or malformed.
std::map<std::string, std::string> ToMetadata(const ModelConfig& config);
absl::StatusOr<ModelConfig> ModelConfigFromMetadata(const std::map<std::string, std::string>& metadata);

}  // namespace cairn
