// The unary calls.
#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/sdk/connection.h"

namespace cairn::sdk {

// Sends connection.join_request until the server answers. Also the way back to a server that forgot this client.
absl::StatusOr<v1::JoinReply> JoinFederation(Connection& connection);

absl::Status LeaveFederation(Connection& connection);

// One attempt: the caller's loop covers the upload as a whole.
absl::StatusOr<v1::ResumePointReply> AskResumePoint(Connection& connection, const v1::ResumePointRequest& request);

}  // namespace cairn::sdk
