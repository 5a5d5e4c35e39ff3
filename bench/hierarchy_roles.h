// What the benchmark's child processes do: this program, started with --role.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "bench/hierarchy_channel.h"

namespace cairn::bench {

// Role "agent", "producer", "aggregator" or "alone" (the last two need the file adapter_config.json in ends.directory).
// Says "ready", then carries out one order after the other until its input ends.
absl::Status PlayRole(const std::string& role, const HierarchyEnds& ends);

}  // namespace cairn::bench
