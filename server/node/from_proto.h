// From the protocol's types to the server's own, at the end that calls the root.
#pragma once

#include <grpcpp/support/status.h>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "proto/cairn/v1/federation.pb.h"
#include "proto/cairn/v1/node.pb.h"
#include "server/root/database.h"
#include "server/root/notice.h"

namespace cairn {

// What ToProto made of it (server/gateway/convert.h), but for what no gateway shows.
Snapshot FromProto(const v1::RoundInfo& info);
Notice FromProto(const v1::RoundEvent& event);
ReceiptRow FromProto(const v1::Receipt& receipt);

// Code and message. A call that gRPC ended, by its deadline or because the connection went away, is UNAVAILABLE.
// `other`: who was called.
absl::Status FromGrpc(const grpc::Status& status, absl::string_view other);

// With the client to blame, if there is one (aggregators/blame.h).
absl::Status FromProto(const v1::Failure& failure);
v1::Failure ToProto(const absl::Status& status);

}  // namespace cairn
