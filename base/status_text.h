// A status as people read it.
#pragma once

#include <string>

#include "absl/status/status.h"

namespace cairn {

// Code and message, without what one part of a program notes for another (payloads).
inline std::string StatusText(const absl::Status& status) {
  return status.ToString(absl::StatusToStringMode::kWithNoExtraData);
}

}  // namespace cairn
