// How PEFT names the tensors of a LoRA.
#pragma once

#include <optional>

#include "absl/strings/string_view.h"
#include "adapter/peft_config.h"

namespace cairn {

enum class LoraPart { kA, kB, kEmbeddingA, kEmbeddingB, kCore, kBBias };

struct LoraKey {
  absl::string_view module;  // Part of the tensor's name.
  LoraPart part;
};
// The module and part that a name such as base_model.model.<module>.lora_A.weight means; nothing for other names.
std::optional<LoraKey> ParseLoraKey(absl::string_view tensor);
// How the part is called in messages: "lora_A.weight".
absl::string_view NameOf(LoraPart part);

// Whether `bias` or `modules_to_save` of the config let a LoRA file hold this tensor. `path` is its name without the
// prefix "base_model.model.".
bool IsAnnounced(absl::string_view path, const PeftConfig& config);

}  // namespace cairn
