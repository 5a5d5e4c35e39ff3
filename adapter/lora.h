// A LoRA adapter as views: per module, delta = scale * B * A with A [rank, d_in] and B [d_out, rank].
// (Hu et al., LoRA, arXiv 2106.09685; rank-stabilised scale: Kalajdzievski, arXiv 2312.03732.)
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "adapter/peft_config.h"
#include "adapter/safetensors.h"

namespace cairn {

struct LoraModule {
  std::string name;  // Path in the base model, without PEFT's "base_model.model." prefix.
  std::int64_t d_in = 0, d_out = 0, rank = 0;
  double scale = 1;
  TensorView a;  // [rank, d_in]
  TensorView b;  // [d_out, rank]
};

struct LoraAdapter {
  PeftConfig config;
  std::vector<LoraModule> modules;  // Ascending by name.
};

// Tensor names of a module in a PEFT file.
std::string LoraAName(absl::string_view module);  // base_model.model.<module>.lora_A.weight
std::string LoraBName(absl::string_view module);

// What a header and a config say together, before the tensor bytes are there. `data` of the views is empty.
// INVALID_ARGUMENT for a tensor that is neither A nor B of a module (a full state dict, say: the message says so when
// no tensor at all is one), a factor without its partner, a rank that differs from the config's, or a shape that is not
// 2-d.
absl::StatusOr<LoraAdapter> DescribeLora(const SafetensorsHeader& header, const PeftConfig& config);

// The same with data. The views point into `bytes`.
absl::StatusOr<LoraAdapter> ParseLora(absl::string_view bytes, const PeftConfig& config);

// What every adapter of a federation has in common.
struct ModuleSpec {
  std::string name;
  std::int64_t d_in = 0, d_out = 0;
  friend bool operator==(const ModuleSpec&, const ModuleSpec&) = default;
};
struct AdapterSpec {
  std::string base_model;           // Empty: not compared.
  std::vector<ModuleSpec> modules;  // Ascending by name.
};
AdapterSpec SpecOf(const LoraAdapter& adapter);

// INVALID_ARGUMENT unless dimensions are positive and within limits and names are unique and ascending.
absl::Status CheckSpec(const AdapterSpec& spec);

// INVALID_ARGUMENT that names the module, the tensor, what was expected and what came, unless `adapter` has exactly the
// modules of `spec` with their dimensions, and the same base model where both name one.
absl::Status CheckAgainstSpec(const LoraAdapter& adapter, const AdapterSpec& spec);

// INVALID_ARGUMENT that names the first tensor and index with a NaN or an infinity.
absl::Status CheckFinite(const LoraAdapter& adapter);

}  // namespace cairn
