// Whether a worker that is alive also gets on with its task: a thread that tells of life says nothing of the one that
// works.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "proto/cairn/v1/tree.pb.h"

namespace cairn::tree {

// Of one task. Pure: time is an argument, and must not run backwards.
class ProgressWatch {
 public:
  ProgressWatch(absl::Duration limit, absl::Time begun) : limit_(limit), since_(begun) {}

  // DEADLINE_EXCEEDED: nothing got done for longer than the limit, although the worker did not wait for others.
  absl::Status Hear(const v1::WorkerAlive& sign, absl::Time now);

 private:
  const absl::Duration limit_;
  absl::Time since_;  // When something got done, or the worker waited for others.
  std::uint64_t progress_ = 0;
};

}  // namespace cairn::tree
