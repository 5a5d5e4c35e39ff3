// What gRPC alone can do: a server that takes the same streams as the gateway, as ByteBuffers, and drops them.
#pragma once

namespace cairn::bench {

// Prints its address as one line, and serves until it is killed.
int RunSink();

}  // namespace cairn::bench
