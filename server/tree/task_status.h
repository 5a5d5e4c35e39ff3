// Statuses as workers send them.
#pragma once

#include "absl/status/status.h"
#include "proto/cairn/v1/tree.pb.h"

namespace cairn::tree {

// With the client to blame, if there is one (aggregators/blame.h).
void SetStatus(const absl::Status& status, v1::TaskStatus& message);
absl::Status StatusOf(const v1::TaskStatus& message);

}  // namespace cairn::tree
