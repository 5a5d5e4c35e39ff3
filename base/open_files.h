// How many files the process may have open.
#pragma once

#include <cstddef>

#include "absl/status/status.h"

namespace cairn {

// Makes room for `more` open files at a time, besides the few that any program has: raises the process' soft limit as
// far as the hard one. RESOURCE_EXHAUSTED, with both numbers, where that does not do.
absl::Status AllowOpenFiles(std::size_t more);

}  // namespace cairn
