// The Peer service, of the root and of nodes: parts of the updates that lie here, for nodes.
#pragma once

#include <memory>

#include "proto/cairn/v1/peer.grpc.pb.h"
#include "server/gateway/context.h"
#include "server/store/store.h"

namespace cairn {

// `check_identity`: who asks must be one of the names of his certificate. Everything outlives the service.
std::unique_ptr<grpc::Service> MakePeerService(const GatewayContext& gateway, Store* store, bool check_identity);

}  // namespace cairn
