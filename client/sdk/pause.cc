#include "client/sdk/pause.h"

#include <algorithm>

#include "absl/time/clock.h"

namespace cairn::sdk {
namespace {

constexpr absl::Duration kSlice = absl::Milliseconds(50);  // How late Cancel may be noticed.

}  // namespace

// gRPC attends to a channel's sockets only while a thread waits on that channel, and else every 5 s. A thread that just
// slept would not see that the connection is there.
absl::Status Pause(Connection& connection, absl::Duration at_most) {
  grpc::Channel& channel = *connection.channel;
  const absl::Time end = absl::Now() + at_most;
  // A server that accepts connections but fails the calls gets the whole pause: only a failed connection shortens it.
  bool unreachable = false;
  for (absl::Time now = absl::Now(); now < end; now = absl::Now()) {
    if (absl::Status status = connection.cancellation.Check(); !status.ok()) return status;
    const grpc_connectivity_state state = channel.GetState(/*try_to_connect=*/true);
    if (unreachable && state == GRPC_CHANNEL_READY) break;
    unreachable = unreachable || state == GRPC_CHANNEL_TRANSIENT_FAILURE;
    channel.WaitForStateChange(state, absl::ToChronoTime(std::min(end, now + kSlice)));
  }
  return connection.cancellation.Check();
}

}  // namespace cairn::sdk
