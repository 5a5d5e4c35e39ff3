// Brings bytes of the node to the root, which has asked for them.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "proto/cairn/v1/node.pb.h"
#include "server/node/root_connection.h"
#include "server/store/store.h"

namespace cairn {

// Blocks. An error is of interest to the log only: the root knows, and asks again when it needs to.
absl::Status Deliver(RootConnection& root, const std::string& node, const v1::FetchOrder& order, Store& store);

}  // namespace cairn
