// Between the server's own types and the protocol's.
#pragma once

#include <grpcpp/support/status.h>

#include <cstddef>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "adapter/lora.h"
#include "proto/cairn/v1/federation.pb.h"
#include "server/root/database.h"
#include "server/root/notice.h"
#include "server/store/store.h"

namespace cairn {

grpc::Status ToGrpc(const absl::Status& status);
v1::RoundInfo ToProto(const Snapshot& snapshot);  // Without outcomes.
v1::RoundInfo WithOutcomes(const Snapshot& snapshot, std::size_t most);
// Those of all federations together are limits::kClientsShownMax at most, each having the same share.
void FillRounds(const std::vector<std::shared_ptr<const Snapshot>>& snapshots, v1::StatusReply& reply);
v1::RoundEvent ToProto(const Notice& notice);  // With outcomes if a version was published.
v1::Receipt ToProto(const ReceiptRow& receipt);
v1::AdapterSpec ToProto(const AdapterSpec& spec);
absl::StatusOr<AdapterSpec> FromProto(const v1::AdapterSpec& spec);  // INVALID_ARGUMENT: a layer.
// Key of an upload as header or ResumePoint request describe it; both have the same fields.
UploadKey KeyOf(const v1::PushHeader& header);
UploadKey KeyOf(const v1::ResumePointRequest& request);

}  // namespace cairn
