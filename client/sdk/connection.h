// What all calls of one Client share.
#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/generic/generic_stub.h>

#include <memory>

#include "client/sdk/cancellation.h"
#include "client/sdk/client.h"
#include "proto/cairn/v1/federation.grpc.pb.h"

namespace cairn::sdk {

struct Connection {
  Connection(ClientOptions options, std::shared_ptr<grpc::Channel> channel)
      : options(std::move(options)),
        channel(std::move(channel)),
        stub(v1::Federation::NewStub(this->channel)),
        generic_stub(this->channel) {}

  const ClientOptions options;
  const std::shared_ptr<grpc::Channel> channel;
  const std::unique_ptr<v1::Federation::Stub> stub;
  grpc::GenericStub generic_stub;
  Cancellation cancellation;
  v1::JoinRequest join_request;  // Kept to join again at a server that has forgotten this client. Constant after Join.
};

}  // namespace cairn::sdk
