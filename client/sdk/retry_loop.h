// The impure side of retry.h: pauses that Cancel ends, and errors that say what was being done.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/time/clock.h"
#include "client/sdk/connection.h"
#include "client/sdk/retry.h"

namespace cairn::sdk {

// One operation, such as a push with all its attempts. Not thread-safe.
class RetryLoop {
 public:
  RetryLoop(Connection& connection, std::string doing);

  // OK after a pause (pause.h), which ends at `until` at the latest: try again. Otherwise the error to return:
  // `failure` is final, it is time to give up, or Cancel was called.
  absl::Status PauseAfter(const absl::Status& failure, absl::Time until = absl::InfiniteFuture());
  // `failure` as the application sees it.
  absl::Status Final(const absl::Status& failure) const;

  void Progress() { backoff_.Progress(absl::Now()); }

 private:
  Connection& connection_;
  const std::string doing_;
  Backoff backoff_;
};

}  // namespace cairn::sdk
