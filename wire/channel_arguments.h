// How channels behave at both ends of the protocol: of the SDK to a gateway, and of nodes to the root and each other.
#pragma once

#include <grpcpp/support/channel_arguments.h>

namespace cairn::wire {

// Messages of limits::kMessageBytesMax, a connection of the channel's own, no retries by gRPC. A dead server is noticed
// within `keepalive_ms` and 10 s, even in an idle stream; one that cannot be reached within 5 s.
grpc::ChannelArguments ChannelArguments(int keepalive_ms);

}  // namespace cairn::wire
