// What all calls of one Client share.
#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/generic/generic_stub.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "client/sdk/cancellation.h"
#include "client/sdk/client.h"
#include "proto/cairn/v1/federation.grpc.pb.h"

namespace cairn::sdk {

// A channel to one server.
struct Link {
  explicit Link(std::shared_ptr<grpc::Channel> channel)
      : channel(std::move(channel)), stub(v1::Federation::NewStub(this->channel)), generic_stub(this->channel) {}

  const std::shared_ptr<grpc::Channel> channel;
  const std::unique_ptr<v1::Federation::Stub> stub;
  grpc::GenericStub generic_stub;
};

// What is known of where updates go (placement.h).
struct Placing {
  std::atomic<bool> unknown = false;  // The server is of a release that does not tell.
  std::mutex mutex;
  std::string address;         // Of `link`.
  std::shared_ptr<Link> link;  // To where the latest update was sent. Null: to no other server.
};

// As a Link: to the server that the client was given.
struct Connection : Link {
  Connection(ClientOptions options, std::shared_ptr<grpc::Channel> channel)
      : Link(std::move(channel)), options(std::move(options)) {}

  const ClientOptions options;
  Cancellation cancellation;
  Placing placing;
  v1::JoinRequest join_request;  // Kept to join again at a server that has forgotten this client. Constant after Join.
};

}  // namespace cairn::sdk
