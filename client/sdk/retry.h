// When to try again: exponential back-off with jitter, as a pure function of the policy, a seed and the times it is
// told.
#pragma once

#include <cstdint>
#include <optional>
#include <random>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "client/sdk/client.h"

namespace cairn::sdk {

// UNAVAILABLE, ABORTED, DATA_LOSS and RESOURCE_EXHAUSTED may pass; every other error is the server's last word.
bool IsRetryable(absl::StatusCode code);

// INVALID_ARGUMENT: a pause that is not positive, a multiplier below 1, a jitter outside [0, 1).
absl::Status CheckRetryPolicy(const RetryPolicy& policy);

class Backoff {
 public:
  // `now` starts the count towards giving up.
  Backoff(const RetryPolicy& policy, std::uint64_t seed, absl::Time now);

  // The next pause is the first one again, and the count towards giving up starts anew.
  void Progress(absl::Time now);

  // The pause before the next attempt, which never reaches past the moment of giving up; none when that has come.
  std::optional<absl::Duration> Next(absl::Time now);

  absl::Duration SinceProgress(absl::Time now) const { return now - progress_; }

 private:
  RetryPolicy policy_;
  std::mt19937_64 random_;
  absl::Duration pause_;
  absl::Time progress_;
};

}  // namespace cairn::sdk
