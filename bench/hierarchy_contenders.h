// The designs one by one; hierarchy_channel.h chooses. Errors of all: what the system or the library says.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "bench/hierarchy_channel.h"

namespace cairn::bench {

inline constexpr char kRedisSocket[] = "redis.sock";  // In HierarchyEnds::directory.

// Objects of the shared store: written once, sealed, mapped. The producer is a worker, as a leaf that hands its partial
// to the top; the agent is a process of its own, which the aggregator tells what may go.
absl::StatusOr<std::unique_ptr<Outbox>> MakeSharedOutbox(const HierarchyEnds& ends);
// The producer is the agent, as the gateway of `cairn serve`.
absl::StatusOr<std::unique_ptr<Outbox>> MakeGatewayOutbox(const HierarchyEnds& ends);
absl::StatusOr<std::unique_ptr<Inbox>> MakeSharedInbox(const HierarchyEnds& ends);

// A stream of bytes over a Unix socket, in pieces of 1 MiB, read straight into warm memory.
absl::StatusOr<std::unique_ptr<Outbox>> MakeUnixOutbox(const HierarchyEnds& ends);
absl::StatusOr<std::unique_ptr<Inbox>> MakeUnixInbox(const HierarchyEnds& ends);

// A client-streaming call over loopback TCP, one for each update, of 1 MiB messages that are ByteBuffers: the sender's
// slices point at the update, the receiver copies them once, into warm memory.
absl::StatusOr<std::unique_ptr<Outbox>> MakeGrpcOutbox(const HierarchyEnds& ends);
absl::StatusOr<std::unique_ptr<Inbox>> MakeGrpcInbox(const HierarchyEnds& ends);

// redis-server on a Unix socket, in memory only: SET of the update and XADD of its key; XREAD, GET into warm memory,
// UNLINK. By a client of our own that copies nothing (hiredis would copy the update twice more).
absl::StatusOr<std::unique_ptr<Outbox>> MakeRedisOutbox(const HierarchyEnds& ends);
absl::StatusOr<std::unique_ptr<Inbox>> MakeRedisInbox(const HierarchyEnds& ends);

}  // namespace cairn::bench
