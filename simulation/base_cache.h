// The pre-trained base model, made once for each text and configuration.
#pragma once

#include "absl/status/statusor.h"
#include "simulation/experiment.h"
#include "simulation/workspace.h"

namespace cairn {

// Puts the base model at workspace.base(), from $XDG_CACHE_HOME/cairn (or ~/.cache/cairn) or by pre-training, with a
// progress bar. Returns whether it came from the cache.
absl::StatusOr<bool> ProvideBase(const Experiment& experiment, const Workspace& workspace);

}  // namespace cairn
