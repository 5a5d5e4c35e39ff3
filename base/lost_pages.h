// A mapped file that becomes shorter while it is read: an error instead of the end of the process.
#pragma once

#include <csignal>

#include "absl/status/status.h"

namespace cairn {

// From construction to destruction a page that its file no longer has, or that the disk does not give, reads as zeros:
// work goes on to its next check, where it ends in order. In all threads. One at a time.
class LostPagesGuard {
 public:
  LostPagesGuard();
  ~LostPagesGuard();
  LostPagesGuard(const LostPagesGuard&) = delete;
  LostPagesGuard& operator=(const LostPagesGuard&) = delete;

  // DATA_LOSS once a page was lost: what was computed since is worth nothing.
  static absl::Status Check();
  // That error.
  static absl::Status Error();

 private:
  struct sigaction old_;
};

}  // namespace cairn
