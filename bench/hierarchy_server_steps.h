// How long each step of an update's way through a real server takes, and a push as its client sees it.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "bench/hierarchy_served.h"
#include "bench/hierarchy_steps.h"

namespace cairn::bench {

// Rounds with so many pushes at a time.
struct ServerStepsColumn {
  int at_a_time = 1;
  int rounds = 0;
  StepTotals totals;
  std::vector<double> pushes;  // Seconds, of every client and round.
  double seconds = 0;          // Of all rounds, first push to published version.
};

// Rounds with `at_a_time` pushes each take turns, `runs` of each, after one that warms up. INTERNAL when the workers
// have not folded every update.
absl::StatusOr<std::vector<ServerStepsColumn>> MeasureServerSteps(Served& served, const std::vector<int>& at_a_time,
                                                                  int runs);
std::string ServerStepsTable(const std::vector<ServerStepsColumn>& columns);

}  // namespace cairn::bench
