// Ctrl-C as a flag: a long task sees it between two steps and ends in order.
#pragma once

#include <csignal>

#include "absl/status/status.h"

namespace cairn {

// From construction to destruction SIGINT and SIGTERM set a flag instead of ending the process. One at a time.
class InterruptGuard {
 public:
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

  // CANCELLED once a signal came.
  static absl::Status Check();
  // That signal, or 0. Programs that it ends exit with 128 + its number, as shells have it.
  static int Signal();

 private:
  struct sigaction old_interrupt_, old_terminate_;
};

}  // namespace cairn
