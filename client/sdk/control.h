// The unary calls.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/sdk/connection.h"

namespace cairn::sdk {

// Sends connection.join_request until the server answers.
absl::Status JoinFederation(Connection& connection);
// One attempt of the same: the way back to a server that forgot this client, inside another operation's loop.
absl::Status JoinAgain(Connection& connection);

absl::Status LeaveFederation(Connection& connection);

// One attempt each: the caller's loop covers the upload as a whole.
absl::StatusOr<v1::PlaceReply> AskPlace(Connection& connection, std::uint64_t payload_bytes);
// Of the server that `link` leads to.
absl::StatusOr<v1::ResumePointReply> AskResumePoint(Connection& connection, Link& link,
                                                    const v1::ResumePointRequest& request);

}  // namespace cairn::sdk
