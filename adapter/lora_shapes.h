// The tensors of one LoRA module, put together and checked.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "adapter/lora.h"
#include "adapter/lora_keys.h"

namespace cairn {

struct LoraParts {
  const TensorView* a = nullptr;
  const TensorView* b = nullptr;
  const TensorView* core = nullptr;
  const TensorView* b_bias = nullptr;
  bool embedding = false;

  // INVALID_ARGUMENT when the part is there already, or when an embedding's factors meet others.
  absl::Status Add(const LoraKey& key, const TensorView& tensor);
};

// INVALID_ARGUMENT, with the module's name, unless both factors are there, of floating-point types, and of the shapes
// of a layer with the expected rank.
absl::StatusOr<LoraModule> MakeModule(const std::string& name, const LoraParts& parts, const RankAndScale& expected);

// The bias of lora_B: [d_out], only with `lora_bias`.
absl::Status CheckFactorBias(const LoraModule& module, const TensorView& bias, const PeftConfig& config);

// INVALID_ARGUMENT: `module "<name>": <message>`.
absl::Status ModuleError(absl::string_view module, absl::string_view message);

}  // namespace cairn
