// A mapped file that becomes shorter while it is read: an error instead of the end of the process.
#pragma once

#include <cstdint>

#include "absl/status/status.h"

namespace cairn {

// From construction to destruction a page that its file no longer has, or that the disk does not give, reads as zeros:
// work goes on to its next check, where it ends in order. In all threads. There may be several at a time, on any
// threads: which of them read the lost page cannot be told, so that all hear of it (but see LostHere).
class LostPagesGuard {
 public:
  // Who reads the mappings that this thread reads while the guard is there.
  enum class Readers {
    kMany,
    kOne,  // Or those who ask LostHere: pages lost by this thread are no other guard's business.
  };
  explicit LostPagesGuard(Readers readers = Readers::kMany);
  ~LostPagesGuard();
  LostPagesGuard(const LostPagesGuard&) = delete;
  LostPagesGuard& operator=(const LostPagesGuard&) = delete;

  // DATA_LOSS once a page was lost since this guard was made: what was computed since is worth nothing.
  absl::Status Lost() const;
  // The same for who has no guard at hand: since the oldest of the guards was made.
  static absl::Status Check();
  // As Lost, of the pages that this thread read: where it reads one file, that file's.
  absl::Status LostHere() const;
  // That error.
  static absl::Status Error();

 private:
  const std::uint64_t lost_before_, lost_here_before_;
  const Readers readers_;
};

}  // namespace cairn
