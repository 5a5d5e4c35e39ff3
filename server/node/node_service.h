// The Node service of a root.
#pragma once

#include <memory>

#include "proto/cairn/v1/node.grpc.pb.h"
#include "server/gateway/context.h"
#include "server/node/node_table.h"
#include "server/root/coordinator.h"

namespace cairn {

// `check_identity`: a node's name must be one of its certificate's. Everything outlives the service.
std::unique_ptr<grpc::Service> MakeNodeService(const GatewayContext& gateway, Coordinator* coordinator,
                                               NodeTable* table, bool check_identity);

}  // namespace cairn
