// What is wrong with a configuration, and where the file says so.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "config/yaml.h"

namespace cairn::options {

// INVALID_ARGUMENT "configuration: key: what".
absl::Status Wrong(absl::string_view key, absl::string_view what);

// A value that must be there and parse; the key goes in front of what is wrong with it.
template <typename T>
absl::StatusOr<T> ValueOf(const std::string& key, absl::StatusOr<T> value) {
  if (value.ok()) return value;
  return Wrong(key, value.status().message());
}

// What Wrong said as 'file:line:column: key "key": what', at the key's place or at that of the nearest one around it.
// As it is where the file has neither.
absl::Status AtPlace(const absl::Status& status, const YamlPlaces& places);

}  // namespace cairn::options
