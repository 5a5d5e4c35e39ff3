// Connections of workers, and which of them are fenced: stopped for longer than the lease time while others waited for
// what they held. A fenced one is refused for good, so that a worker that wakes late publishes nothing.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/store/shared/object_table.h"
#include "server/store/shared/process_id.h"

namespace cairn {

// Pure: time is an argument, and must not run backwards. Not thread-safe.
class Sessions {
 public:
  explicit Sessions(absl::Duration lease_time) : lease_time_(lease_time) {}

  Epoch Open(ProcessId process, absl::Time now);
  void Close(Epoch epoch) { sessions_.erase(epoch); }
  // A sign of life, with which everything that the session holds is held for another lease time.
  // FAILED_PRECONDITION: it was fenced. NOT_FOUND: no such session.
  absl::Status Renew(Epoch epoch, absl::Time now);
  // It was asked for something: from now on it has a lease time to answer.
  void Ask(Epoch epoch, absl::Time now);
  // Whose it is. Errors as Renew.
  absl::StatusOr<ProcessId> Find(Epoch epoch) const;
  bool Has(Epoch epoch) const { return sessions_.count(epoch) != 0; }
  // Fences sessions that gave no sign of life and hold something; returns them.
  std::vector<std::pair<Epoch, ProcessId>> Fence(absl::Time now, const std::function<bool(Epoch)>& holds);
  // When the next of those that hold something will be fenced; InfiniteFuture for none.
  absl::Time NextFence(const std::function<bool(Epoch)>& holds) const;

  absl::Duration lease_time() const { return lease_time_; }
  std::size_t size() const { return sessions_.size(); }

 private:
  struct Session {
    ProcessId process;
    absl::Time renewed;
    bool fenced = false;
    absl::Duration silence;  // When it was fenced.
  };

  const absl::Duration lease_time_;
  Epoch next_ = kAgentEpoch + 1;
  std::map<Epoch, Session> sessions_;
};

}  // namespace cairn
