// Which rules and guards are measured: all that are registered.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bench/robust_cairn.h"

namespace cairn::bench {

// Every rule by itself, and every guard in front of two of them. Where a rule or guard asks for f, it is `faulty`;
// where it asks for a client to trust, that of the last column. `only`: the names of some; empty: all.
std::vector<RuleJob> AllJobs(std::int64_t columns, std::int64_t faulty, const std::vector<std::string>& only);

}  // namespace cairn::bench
