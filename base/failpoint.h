// Named points in the code at which a test makes the process die, stop, sleep or fail. They do nothing at all unless
// the environment names them:
//
//   CAIRN_FAILPOINTS='worker.after_fold=kill@3;store.append=full;publish.before_rename=sleep:200'
//   CAIRN_FAILPOINTS_ONCE=DIRECTORY
//
// kill: SIGKILL to itself. stop: SIGSTOP to itself. hang: the thread never goes on. sleep:MS. error: the step fails with
// UNAVAILABLE; full: with RESOURCE_EXHAUSTED, as on a full disk. @N: at the N-th time that the process comes by (1
// unless given); sleep, error and full without @N each time. With a directory an action other than sleep is done once by all processes together:
// whoever creates the file of the point's name there does it. docs/failpoints.md lists the points.
#pragma once

#include <atomic>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace cairn {

extern std::atomic<bool> failpoints_armed;  // The environment names any.

absl::Status HitFailpoint(absl::string_view name);

// Checks a value of CAIRN_FAILPOINTS. INVALID_ARGUMENT: says what is wrong with it.
absl::Status CheckFailpoints(absl::string_view text);

}  // namespace cairn

// The status of the point: where a step cannot fail, ignore it.
#define CAIRN_FAILPOINT(name) \
  (::cairn::failpoints_armed.load(std::memory_order_relaxed) ? ::cairn::HitFailpoint(name) : ::absl::OkStatus())
