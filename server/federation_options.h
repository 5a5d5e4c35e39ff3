// One federation of the configuration, as server/options.h has it.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "server/root/federation.h"

namespace cairn::v1 {
class FederationConfig;
}  // namespace cairn::v1

namespace cairn {

void FillFederationDefaults(v1::FederationConfig& federation);

// `key` stands for the federation in errors, as in "federations[0]". INVALID_ARGUMENT names the key below it, what was
// expected and what came.
absl::StatusOr<FederationOptions> ResolveFederation(const v1::FederationConfig& config, const std::string& key);

}  // namespace cairn
