// The wait between two attempts.
#pragma once

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "client/sdk/connection.h"

namespace cairn::sdk {

// OK after `at_most`, or earlier: as soon as a server that could not be reached is there again. CANCELLED soon after
// Cancel. Keeps the channel connecting meanwhile, at the channel's own back-off.
absl::Status Pause(Connection& connection, absl::Duration at_most);

}  // namespace cairn::sdk
