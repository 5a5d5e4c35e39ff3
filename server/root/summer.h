// Adds up a round's updates elsewhere: in other processes, while they still come in.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "aggregators/partial_sum.h"
#include "server/root/publish.h"

namespace cairn {

// The sum of a round's updates, in memory that lives as long as this object.
class RoundTotal {
 public:
  virtual ~RoundTotal() = default;
  virtual const PartialView& view() const = 0;
};

// Thread-safe.
class Summer {
 public:
  virtual ~Summer() = default;

  // An update of the open round was acknowledged. Does not block. Nothing depends on it: Sum finds what it needs.
  virtual void Contributed(const std::string& federation, std::uint64_t round, const Method& method,
                           const Contribution& contribution) = 0;
  // The sum over exactly the job's contributions; waits until it is there. CANCELLED: Stop was called. Any other error:
  // it cannot be had this way now, and the updates must be added up by whoever wants the sum; UNIMPLEMENTED when that
  // is as it should be. That goes for INVALID_ARGUMENT too: an update is not given up because a worker, which may have
  // read something else, says so. REQUIRES: SumsUp(job.method).
  virtual absl::StatusOr<std::unique_ptr<RoundTotal>> Sum(const PublishJob& job) = 0;
  // From now on every Sum ends with CANCELLED, also those that wait.
  virtual void Stop() = 0;
  // The round is over: what is left of it may go.
  virtual void Forget(const std::string& federation, std::uint64_t round) = 0;
};

// Whether the version of such a round is a quotient of sums over its clients, so that partial sums make it.
bool SumsUp(const Method& method);

}  // namespace cairn
