// What collective.cc needs of one of c10d's backends. Seen by libcairn_collective.so alone.
#pragma once

#include <ATen/ATen.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <torch/csrc/distributed/c10d/Store.hpp>
#include <torch/csrc/distributed/c10d/Types.hpp>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "server/tree/collective.h"

namespace cairn {

using StorePtr = c10::intrusive_ptr<c10d::Store>;

class CollectiveBackend {
 public:
  virtual ~CollectiveBackend() = default;
  // In place. Throws when a member is lost or does not answer within the timeout; not to be called again then.
  virtual void AllReduce(absl::Span<std::int64_t> values, c10d::ReduceOp op) = 0;
};

// Return when all members are connected. Throw when not all of them come within the timeout.
// Gloo: over TCP, from and to the memory of the CPU.
absl::StatusOr<std::unique_ptr<CollectiveBackend>> ConnectGloo(const CollectiveOptions& options, at::Device cpu,
                                                               const StorePtr& store);
// NCCL: from GPU to GPU. Without an index, `gpu` is the rank's, modulo those that are there. INVALID_ARGUMENT: there
// is no such GPU. FAILED_PRECONDITION: there is none at all, or another member has it, too.
absl::StatusOr<std::unique_ptr<CollectiveBackend>> ConnectNccl(const CollectiveOptions& options, at::Device gpu,
                                                               const StorePtr& store);

inline std::chrono::milliseconds Milliseconds(absl::Duration duration) {
  return std::chrono::milliseconds(absl::ToInt64Milliseconds(duration));
}

// Of one side's memory, as c10d takes it; nothing is copied.
inline at::Tensor AsTensor(absl::Span<std::int64_t> values) {
  return at::from_blob(values.data(), {static_cast<std::int64_t>(values.size())}, at::kLong);
}

}  // namespace cairn
