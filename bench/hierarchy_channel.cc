#include "bench/hierarchy_channel.h"

#include "bench/hierarchy_contenders.h"

namespace cairn::bench {

absl::StatusOr<std::unique_ptr<Outbox>> MakeOutbox(const HierarchyEnds& ends) {
  switch (ends.design) {
    case Design::kShared:
      return MakeSharedOutbox(ends);
    case Design::kGateway:
      return MakeGatewayOutbox(ends);
    case Design::kUnix:
      return MakeUnixOutbox(ends);
    case Design::kGrpc:
      return MakeGrpcOutbox(ends);
    case Design::kRedis:
      return MakeRedisOutbox(ends);
    default:
      return absl::InvalidArgumentError("one process has nobody to send to");
  }
}

absl::StatusOr<std::unique_ptr<Inbox>> MakeInbox(const HierarchyEnds& ends) {
  switch (ends.design) {
    case Design::kShared:
    case Design::kGateway:
      return MakeSharedInbox(ends);
    case Design::kUnix:
      return MakeUnixInbox(ends);
    case Design::kGrpc:
      return MakeGrpcInbox(ends);
    case Design::kRedis:
      return MakeRedisInbox(ends);
    default:
      return absl::InvalidArgumentError("one process has nobody to hear from");
  }
}

}  // namespace cairn::bench
