// Where an update lies, for workers of its node.
#pragma once

#include "proto/cairn/v1/tree.pb.h"
#include "server/root/publish.h"

namespace cairn::tree {

// Without its adapter_config, which most clients have the same.
v1::UpdatePlace PlaceOf(const Contribution& contribution);

}  // namespace cairn::tree
