// The gRPC channels of one Client: credentials, keepalive, limits.
#pragma once

#include <grpcpp/channel.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "client/sdk/client.h"

namespace cairn::sdk {

// Does not connect yet. INVALID_ARGUMENT: a certificate without a key or a key without a certificate; otherwise the
// status of the PEM file that could not be read.
absl::StatusOr<std::shared_ptr<grpc::Channel>> OpenChannel(const ClientOptions& options);
// The same to another server, which is verified by its own name.
absl::StatusOr<std::shared_ptr<grpc::Channel>> OpenChannel(const ClientOptions& options, const std::string& server);

}  // namespace cairn::sdk
