// Ctrl-C as a flag: a long task sees it between two steps and ends in order.
#pragma once

#include <csignal>

#include "absl/status/status.h"

namespace cairn {

// From construction to destruction SIGINT, SIGTERM and SIGHUP set a flag instead of ending the process; SIGHUP stays
// ignored where it is (nohup). One at a time.
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
  struct sigaction old_interrupt_, old_terminate_, old_hang_up_;
};

}  // namespace cairn
