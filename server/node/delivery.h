// Brings bytes of the node to the root, which has asked for them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proto/cairn/v1/node.pb.h"
#include "server/node/root_connection.h"
#include "server/root/summer.h"
#include "server/store/store.h"

namespace cairn {

// Blocks. An error is of interest to the log only: the root knows, and asks again when it needs to.
absl::Status Deliver(RootConnection& root, const std::string& node, const v1::FetchOrder& order, Store& store);

// The same of a sum. While it is made, on another thread, the root is told that it is coming. Returns when `sum` has.
using MakeSum = std::function<absl::StatusOr<std::unique_ptr<RoundTotal>>()>;
absl::Status DeliverSum(RootConnection& root, const std::string& node, std::uint64_t fetch, const MakeSum& sum);

}  // namespace cairn
