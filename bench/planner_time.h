// How long planning takes.
#pragma once

#include "absl/status/status.h"

namespace cairn::bench {

// Prints a table. INTERNAL when a plan takes so long that something must be wrong with how, not with the machine.
absl::Status PrintPlanningTime(int clients, int nodes, int repetitions);

}  // namespace cairn::bench
