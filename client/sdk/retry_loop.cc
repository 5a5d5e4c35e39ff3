#include "client/sdk/retry_loop.h"

#include <algorithm>
#include <optional>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/sdk/pause.h"
#include "client/sdk/status.h"

namespace cairn::sdk {

RetryLoop::RetryLoop(Connection& connection, std::string doing)
    : connection_(connection),
      doing_(std::move(doing)),
      backoff_(connection.options.retry, std::random_device{}(), absl::Now()) {}

absl::Status RetryLoop::PauseAfter(const absl::Status& failure, absl::Time until) {
  if (!IsRetryable(failure.code())) return Final(failure);
  const absl::Time now = absl::Now();
  const std::optional<absl::Duration> backoff = backoff_.Next(now);
  if (!backoff) {
    const std::string waited = absl::FormatDuration(backoff_.SinceProgress(now));
    return Final(Annotate(failure, absl::StrCat("gave up after ", waited, " without progress")));
  }
  const absl::Duration pause = std::min(*backoff, until - now);
  if (connection_.options.on_retry) connection_.options.on_retry(Final(failure), pause);
  return Final(Pause(connection_, pause));
}

absl::Status RetryLoop::Final(const absl::Status& failure) const { return Annotate(failure, doing_); }

}  // namespace cairn::sdk
