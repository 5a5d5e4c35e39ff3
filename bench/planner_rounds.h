// The simulated rounds as tables: every policy beside least connection, over several seeds.
#pragma once

#include "absl/status/status.h"

namespace cairn::bench {

struct RoundsOptions {
  int clients = 10'000;
  int nodes = 100;
  int seeds = 7;
  int rounds = 8;
  double window = 30;  // Seconds.
};

absl::Status PrintRounds(const RoundsOptions& options);

}  // namespace cairn::bench
