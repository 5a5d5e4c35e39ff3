// What one client sent in all rounds so far, as one adapter.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "adapter/lora.h"
#include "server/root/checkpoint.h"

namespace cairn {

// before + (update - reference), module by module and floating-point tensor by tensor, in what `update` has; the rest
// of `before` stays. `before` null: nothing yet. `reference` null: zero. Of modules and tensors, those of `before`
// included, only those are kept that `names` names (PipelineOptions::rule_modules; empty: all). Ranks are bounded as
// NextCheckpoint bounds them. INVALID_ARGUMENT: other dimensions than before; FAILED_PRECONDITION as BoundedSum;
// OUT_OF_RANGE: the core of a module is not finite.
absl::StatusOr<Checkpoint> HistoryWith(const Adapter* before, const Adapter& update, const Adapter* reference,
                                       absl::Span<const std::string> names);

}  // namespace cairn
