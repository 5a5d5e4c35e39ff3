// host:port addresses.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cairn {

struct HostPort {
  std::string host;  // Without brackets: "::1".
  std::uint16_t port = 0;
};

// "127.0.0.1:7070", "localhost:0", "[::1]:7070". INVALID_ARGUMENT: no host, no port, a port beyond 65535, or an IPv6
// address without brackets.
absl::StatusOr<HostPort> ParseHostPort(absl::string_view text);

// The inverse: brackets around an IPv6 host.
std::string FormatHostPort(const HostPort& address);

// True for 127.0.0.0/8, ::1 and "localhost": what only processes of this machine can reach. Names are not resolved.
bool IsLoopback(absl::string_view host);

// True for 0.0.0.0 and ::, on which a server takes what comes to any address of the machine.
bool IsWildcard(absl::string_view host);

}  // namespace cairn
