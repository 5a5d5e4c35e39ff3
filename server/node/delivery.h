// Brings bytes of the node to the root, which has asked for them.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/limits.h"
#include "proto/cairn/v1/node.pb.h"
#include "server/node/parcel.h"
#include "server/node/root_connection.h"
#include "server/store/store.h"

namespace cairn {

// Blocks, and calls `gets_on` with every piece. An error is of interest to the log only: the root knows, and asks again
// when it needs to.
absl::Status Deliver(RootConnection& root, const std::string& node, const v1::FetchOrder& order, Store& store,
                     const std::function<void()>& gets_on);

// The same of what is made. While it is, on another thread, the root is told that it is coming, every `interval`; but
// not of one that is alive and for `stuck` got nothing done, although it did not wait for others: the root is told that
// this one hangs, DEADLINE_EXCEEDED, as a dispatcher finds of a worker. Returns when `make` has, even then.
struct MakeLimits {
  absl::Duration interval = absl::Seconds(10);  // Far below kStreamIdleMax.
  absl::Duration stuck = absl::Seconds(limits::kWorkerStuckSeconds);
};
absl::Status DeliverMade(RootConnection& root, const std::string& node, std::uint64_t fetch, const MakeParcel& make,
                         const MakeLimits& limits = {});

}  // namespace cairn
