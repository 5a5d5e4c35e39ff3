// What a federation publishes of what it combines.
#pragma once

#include "absl/status/statusor.h"
#include "aggregators/publish_form.h"
#include "server/root/method.h"

namespace cairn {

// The configured form, or the combine rule's own. INVALID_ARGUMENT: no such combine rule or rule.
absl::StatusOr<PublishForm> PublishFormOf(const Method& method);

}  // namespace cairn
