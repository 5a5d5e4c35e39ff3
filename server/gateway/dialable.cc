#include "server/gateway/dialable.h"

#include "absl/strings/match.h"
#include "config/address.h"

namespace cairn {
namespace {

// gRPC may escape what is in brackets.
bool IsOfThisMachine(const std::string& peer) {
  return absl::StartsWith(peer, "ipv4:127.") || absl::StartsWith(peer, "ipv6:[::1]") ||
         absl::StartsWith(peer, "ipv6:%5B::1%5D") || absl::StartsWith(peer, "unix:");
}

}  // namespace

bool CanDial(const std::string& peer, const std::string& address) {
  if (IsOfThisMachine(peer)) return true;
  const auto parsed = ParseHostPort(address);
  return parsed.ok() && !IsLoopback(parsed->host);
}

}  // namespace cairn
