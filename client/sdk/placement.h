// Where an update goes: the server that the client was given may name the gateway that should take it. It is a hint, as
// every gateway takes every update; without an answer, or when that gateway cannot be reached, it is the server itself.
#pragma once

#include <cstdint>
#include <memory>

#include "client/sdk/connection.h"

namespace cairn::sdk {

// Asks, and connects. Null: the server that the client was given. Takes no longer than a call and a connection, and
// ends early after Cancel.
std::shared_ptr<Link> FindPlace(Connection& connection, std::uint64_t payload_bytes);

}  // namespace cairn::sdk
