// How many cores this process may use, of those that the machine has: a container may have a part of them.
#pragma once

#include <cstdint>

#include "absl/strings/string_view.h"

namespace cairn {

// `cpu_max`: of cgroup v2, "QUOTA PERIOD" in microseconds, or "max PERIOD" without a bound
// (https://docs.kernel.org/admin-guide/cgroup-v2.html#cpu-interface-files). Whole cores, and at least 1; a text that is
// something else bounds nothing.
std::uint32_t CoresWithin(absl::string_view cpu_max, std::uint32_t cores);

// Of this process: within the quotas of its cgroup and of those that this one lies in, as far as they can be read.
std::uint32_t UsableCores();

}  // namespace cairn
