// What `cairn aggregate` and `cairn inspect` say to the shell.
#pragma once

#include "absl/status/status.h"

namespace cairn {

// Exit codes, also of wrong flags (cli/main.cc). After a signal: 128 + its number.
inline constexpr int kExitRefused = 1;  // The inputs are wrong, or do not go together in that way.
inline constexpr int kExitUsage = 2;    // The command line is wrong.
inline constexpr int kExitFiles = 3;    // Not there, not readable, no room or memory, output exists.

int ExitCodeOf(const absl::Status& status);

}  // namespace cairn
