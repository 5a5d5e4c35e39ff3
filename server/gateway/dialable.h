// Which addresses a client can be told.
#pragma once

#include <string>

namespace cairn {

// An address of loopback is another machine's to whoever is on another machine. `peer`: as gRPC writes it.
bool CanDial(const std::string& peer, const std::string& address);

}  // namespace cairn
