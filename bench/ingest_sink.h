// What gRPC alone can do: a server that takes the same streams as the gateway, as ByteBuffers, and drops them. Or, step
// by step, what the gateway does to every byte.
#pragma once

namespace cairn::bench {

// What the sink does to the chunks it receives; each step includes those before it.
enum SinkWork { kCount, kChecksum, kCopyToMemory, kCheckFinite, kSha256, kSinkWorks };

// Prints its address as one line, and serves until it is killed.
int RunSink(SinkWork work);

}  // namespace cairn::bench
