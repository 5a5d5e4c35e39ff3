// How a node connects to the root and to other nodes.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

namespace cairn {

// To host:port, when first needed. A server that is gone is noticed within 20 s, one that cannot be reached within 5 s:
// calls end with UNAVAILABLE. `name`: what the server's certificate must name; empty: the host.
std::shared_ptr<grpc::Channel> NodeChannel(const std::string& address,
                                           const std::shared_ptr<grpc::ChannelCredentials>& credentials,
                                           const std::string& name = "");

}  // namespace cairn
