// Which adapters a config describes: plain LoRA, tensors that enter the model linearly, or neither.
#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "adapter/peft_config.h"
#include "adapter/strict_json.h"

namespace cairn {

struct AdapterKindAndReason {
  AdapterKind kind;
  std::string reason;  // For kBilinear: what is not additive.
};
// `config` is the whole document, whose peft_type is given.
AdapterKindAndReason KindOf(absl::string_view peft_type, const JsonValue& config);

}  // namespace cairn
