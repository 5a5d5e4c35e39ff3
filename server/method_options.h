// How updates of a federation become a version, from its configuration.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "server/root/method.h"

namespace cairn::v1 {
class FederationConfig;
}  // namespace cairn::v1

namespace cairn {

// Checked as far as it can be before a round opens: that the names and options are known, that combine rule, publish
// form and the weights of rule and guards go together, and that every number of clients that a round can close with is
// enough for rule and guards. `key` as for ResolveFederation, with its errors. REQUIRES: clients.min <= clients.target.
absl::StatusOr<Method> ResolveMethod(const v1::FederationConfig& config, const std::string& key);

}  // namespace cairn
