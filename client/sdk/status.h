// Statuses as they come from gRPC, told apart the way retries need it.
#pragma once

#include <grpcpp/support/status.h>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "client/sdk/cancellation.h"

namespace cairn::sdk {

// The server's code and message. What only says that the connection or the server went away becomes UNAVAILABLE: a
// deadline without an answer, a stream that was removed, and a cancellation that nobody on this side asked for.
absl::Status FromGrpc(const grpc::Status& status, const Cancellation& cancellation);

// "<doing>: <message>", with the code and payloads kept. OK stays OK.
absl::Status Annotate(const absl::Status& status, absl::string_view doing);

}  // namespace cairn::sdk
