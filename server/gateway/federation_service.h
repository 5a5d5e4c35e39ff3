// The Federation service on gRPC's callback API. Push and Pull are raw: their messages stay byte buffers.
#pragma once

#include <memory>

#include "proto/cairn/v1/federation.grpc.pb.h"
#include "server/gateway/context.h"

namespace cairn {

// Everything in `gateway` outlives the service.
std::unique_ptr<grpc::Service> MakeFederationService(const GatewayContext& gateway);

}  // namespace cairn
