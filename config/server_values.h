// What ServerConfig's text fields may hold beyond being text, so that a bad size or duration is reported with its line
// and key.
#pragma once

#include <google/protobuf/descriptor.h>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace cairn {

// A StringCheck (config/yaml.h) for cairn.v1.ServerConfig: addresses, byte sizes, durations, names, log level.
// INVALID_ARGUMENT says what was expected. Whether required keys are there, and whether files exist, is the server's
// business.
absl::Status CheckServerValue(const google::protobuf::FieldDescriptor& field, absl::string_view value);

}  // namespace cairn
