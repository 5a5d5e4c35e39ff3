// The transfer streams of TestingServer. Both objects delete themselves when gRPC is done with them.
#pragma once

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/server_callback.h>

#include "client/sdk/testing_server.h"

namespace cairn::sdk {

grpc::ServerReadReactor<grpc::ByteBuffer>* NewPushReactor(TestingServer& server, grpc::ByteBuffer* response);
grpc::ServerWriteReactor<grpc::ByteBuffer>* NewPullReactor(TestingServer& server, const grpc::ByteBuffer& request);

}  // namespace cairn::sdk
