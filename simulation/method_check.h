// Whether a combine rule takes the ranks and alphas of an experiment's clients, before anything runs.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "simulation/experiment.h"

namespace cairn {

// In the words of the rule: INVALID_ARGUMENT names the first client that it would refuse beside those before it. With
// `training.prune` every client is there a second time, with the rank that it may be pruned to.
absl::Status CheckTakesClients(const std::string& method, const Experiment& experiment);

}  // namespace cairn
