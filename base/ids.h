// Names of federations and clients: they become file names, labels and log fields, so they are checked once, here.
#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace cairn {

// INVALID_ARGUMENT unless `id` is 1 to limits::kIdBytesMax of [A-Za-z0-9._-] and does not start with a dot.
// `what` names the field in the message, as in "client id".
absl::Status CheckId(absl::string_view what, absl::string_view id);

}  // namespace cairn
