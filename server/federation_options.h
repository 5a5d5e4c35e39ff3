// One federation of the configuration, as server/options.h has it.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "server/root/federation.h"

namespace cairn::v1 {
class FederationConfig;
}  // namespace cairn::v1

namespace cairn {

void FillFederationDefaults(v1::FederationConfig& federation);

// `key` stands for the federation in errors, as in "federations[0]". INVALID_ARGUMENT names the key below it, what was
// expected and what came.
absl::StatusOr<FederationOptions> ResolveFederation(const v1::FederationConfig& config, const std::string& key);

namespace options {

inline absl::Status Wrong(absl::string_view key, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("configuration: ", key, ": ", what));
}

// A value that must be there and parse; the key goes in front of what is wrong with it.
template <typename T>
absl::StatusOr<T> ValueOf(const std::string& key, absl::StatusOr<T> value) {
  if (value.ok()) return value;
  return Wrong(key, value.status().message());
}

}  // namespace options
}  // namespace cairn
