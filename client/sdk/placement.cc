#include "client/sdk/placement.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/time/clock.h"
#include "client/sdk/channel.h"
#include "client/sdk/control.h"

namespace cairn::sdk {
namespace {

constexpr absl::Duration kConnectMax = absl::Seconds(5);
constexpr absl::Duration kSlice = absl::Milliseconds(50);  // How late Cancel may be noticed.

bool Connect(const Connection& connection, grpc::Channel& channel) {
  const absl::Time end = absl::Now() + kConnectMax;
  for (absl::Time now = absl::Now(); now < end && connection.cancellation.Check().ok(); now = absl::Now()) {
    const grpc_connectivity_state state = channel.GetState(/*try_to_connect=*/true);
    if (state == GRPC_CHANNEL_READY) return true;
    if (state == GRPC_CHANNEL_TRANSIENT_FAILURE || state == GRPC_CHANNEL_SHUTDOWN) return false;
    channel.WaitForStateChange(state, absl::ToChronoTime(std::min(end, now + kSlice)));
  }
  return false;
}

// Empty: the server itself.
std::string AskAddress(Connection& connection, std::uint64_t payload_bytes) {
  const absl::StatusOr<v1::PlaceReply> reply = AskPlace(connection, payload_bytes);
  if (absl::IsUnimplemented(reply.status())) connection.placing.unknown = true;
  if (!reply.ok() || reply->address() == connection.options.server) return "";
  return reply->address();
}

}  // namespace

std::shared_ptr<Link> FindPlace(Connection& connection, std::uint64_t payload_bytes) {
  Placing& placing = connection.placing;
  if (!connection.options.follow_placement || placing.unknown) return nullptr;
  const std::string address = AskAddress(connection, payload_bytes);
  if (address.empty()) return nullptr;
  std::lock_guard lock(placing.mutex);  // Pushes of one client wait for one connection.
  if (placing.link == nullptr || placing.address != address) {
    auto channel = OpenChannel(connection.options, address);
    if (!channel.ok()) return nullptr;
    placing.link = std::make_shared<Link>(*std::move(channel));
    placing.address = address;
  }
  // A channel that has failed pauses before it tries again: the next attempt is another one's.
  if (!Connect(connection, *placing.link->channel)) placing.link = nullptr;
  return placing.link;
}

}  // namespace cairn::sdk
