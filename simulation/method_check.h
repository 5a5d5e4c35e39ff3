// Whether a combine rule, and the experiment's rule and guards, take an experiment's clients, before anything runs.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "simulation/experiment.h"

namespace cairn {

// In the words of the rule: INVALID_ARGUMENT names the first client that it would refuse beside those before it. With
// `training.prune` every client is there a second time, with the rank that it may be pruned to.
// Attackers are there with what they send.
absl::Status CheckTakesClients(const std::string& method, const Experiment& experiment);

// Whether a server takes what the clients upload, whatever the combine rule: INVALID_ARGUMENT names the first client
// whose rank or scale is beyond its bounds. Attackers are there with what they send, but for those of IsRefused.
absl::Status CheckUploads(const Experiment& experiment);

// In the words of the rule or guard: INVALID_ARGUMENT when so many clients are too few for its bound, when the client
// that it trusts is none of them, or when the combine rule cannot take its weights or
// relative_to_published. NOT_FOUND: no such rule or guard.
absl::Status CheckWeighing(const std::string& method, const Experiment& experiment);

}  // namespace cairn
