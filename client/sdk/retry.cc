#include "client/sdk/retry.h"

#include <algorithm>

#include "absl/strings/str_format.h"

namespace cairn::sdk {

bool IsRetryable(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kAborted:
    case absl::StatusCode::kDataLoss:
    case absl::StatusCode::kResourceExhausted:
      return true;
    default:
      return false;
  }
}

absl::Status CheckRetryPolicy(const RetryPolicy& policy) {
  if (policy.initial_backoff <= absl::ZeroDuration() || policy.max_backoff < policy.initial_backoff) {
    return absl::InvalidArgumentError(absl::StrFormat("retry: back-off from %s to %s; expected 0 < initial <= max",
                                                      absl::FormatDuration(policy.initial_backoff),
                                                      absl::FormatDuration(policy.max_backoff)));
  }
  if (!(policy.multiplier >= 1)) {
    return absl::InvalidArgumentError(absl::StrFormat("retry: multiplier %g; expected at least 1", policy.multiplier));
  }
  if (!(policy.jitter >= 0 && policy.jitter < 1)) {
    return absl::InvalidArgumentError(absl::StrFormat("retry: jitter %g; expected [0, 1)", policy.jitter));
  }
  return absl::OkStatus();
}

Backoff::Backoff(const RetryPolicy& policy, std::uint64_t seed, absl::Time now)
    : policy_(policy), random_(seed), pause_(policy.initial_backoff), progress_(now) {}

void Backoff::Progress(absl::Time now) {
  pause_ = policy_.initial_backoff;
  progress_ = now;
}

std::optional<absl::Duration> Backoff::Next(absl::Time now) {
  const absl::Duration left = policy_.give_up_after - SinceProgress(now);
  if (left <= absl::ZeroDuration()) return std::nullopt;
  std::uniform_real_distribution<double> factor(1 - policy_.jitter, 1 + policy_.jitter);
  const absl::Duration pause = pause_ * factor(random_);
  pause_ = std::min(pause_ * policy_.multiplier, policy_.max_backoff);
  return std::min(pause, left);
}

}  // namespace cairn::sdk
