// What must hold for an update by itself, whatever the rule.
#pragma once

#include "absl/status/status.h"
#include "adapter/lora.h"

namespace cairn {

// INVALID_ARGUMENT: no module and no tensor; names, ranks, scales or shapes that are not what adapter/lora.h says.
absl::Status CheckUpdateShapes(const Adapter* adapter);
// INVALID_ARGUMENT: a view whose bytes are not all there.
absl::Status CheckUpdateBytes(const Adapter& adapter);
// The same, and values that are not finite.
absl::Status CheckUpdateValues(const Adapter& adapter);

}  // namespace cairn
