// Waits for a round over the Watch stream.
#pragma once

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/sdk/connection.h"

namespace cairn::sdk {

absl::StatusOr<Round> AwaitOpenRound(Connection& connection, absl::Duration timeout);

}  // namespace cairn::sdk
