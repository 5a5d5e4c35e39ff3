// A grid from the key `grid` of an experiment's file.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "simulation/grid/grid.h"

namespace cairn {

namespace v1 {
class SimulatedGrid;
}

// With defaults filled in; `seed` is the experiment's. INVALID_ARGUMENT: a concentration that is none. The rest is
// CheckGrid's.
absl::StatusOr<Grid> GridFromProto(const v1::SimulatedGrid& proto, std::uint64_t seed);

}  // namespace cairn
