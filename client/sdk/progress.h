// How far a transfer has come, over all its attempts.
#pragma once

#include <cstdint>

#include "client/sdk/retry_loop.h"

namespace cairn::sdk {

// The highest byte reached. Only passing it is progress: a transfer that breaks at the same place every time makes
// none, and the application's callback never sees a number go down.
class TransferProgress {
 public:
  TransferProgress(std::uint64_t total, const ProgressCallback& callback, RetryLoop& retry)
      : total_(total), callback_(callback), retry_(retry) {}

  void Reached(std::uint64_t bytes) {
    if (bytes <= most_) return;
    most_ = bytes;
    retry_.Progress();
    if (callback_) callback_(most_, total_);
  }

 private:
  const std::uint64_t total_;
  const ProgressCallback& callback_;
  RetryLoop& retry_;
  std::uint64_t most_ = 0;
};

}  // namespace cairn::sdk
