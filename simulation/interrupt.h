// Ctrl-C as a flag: the runner sees it between two steps and ends its children in order.
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

 private:
  struct sigaction old_interrupt_, old_terminate_;
};

}  // namespace cairn
