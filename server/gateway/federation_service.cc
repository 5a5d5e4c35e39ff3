#include "server/gateway/federation_service.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "base/version.h"
#include "server/gateway/convert.h"
#include "server/gateway/credentials.h"
#include "server/gateway/dialable.h"
#include "server/gateway/pull_reactor.h"
#include "server/gateway/push_reactor.h"
#include "server/gateway/watch_reactor.h"

namespace cairn {
namespace {

using Rpc = v1::Federation;
using Base = Rpc::WithCallbackMethod_Join<Rpc::WithCallbackMethod_Leave<Rpc::WithCallbackMethod_Status<
    Rpc::WithCallbackMethod_Place<Rpc::WithCallbackMethod_ResumePoint<Rpc::WithCallbackMethod_Watch<
        Rpc::WithRawCallbackMethod_Push<Rpc::WithRawCallbackMethod_Pull<Rpc::Service>>>>>>>>;

// The planner believes these numbers, for all federations.
absl::Status CheckPlaceRequest(const v1::PlaceRequest& request, std::uint64_t upload_bytes_max) {
  if (!request.zone().empty()) CAIRN_RETURN_IF_ERROR(CheckId("zone", request.zone()));
  if (request.payload_bytes() <= upload_bytes_max) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("payload_bytes ", request.payload_bytes(), "; this server accepts at most ", upload_bytes_max));
}

class FederationService final : public Base {
 public:
  explicit FederationService(const GatewayContext& gateway) : gateway_(gateway) {}

  grpc::ServerUnaryReactor* Join(grpc::CallbackServerContext* context, const v1::JoinRequest* request,
                                 v1::JoinReply* reply) override {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    if (absl::Status status = CheckIdentity(*context, gateway_.mutual_tls, request->client()); !status.ok()) {
      reactor->Finish(ToGrpc(status));
      return reactor;
    }
    std::optional<AdapterSpec> spec;
    if (request->has_spec()) {
      absl::StatusOr<AdapterSpec> given = FromProto(request->spec());
      if (!given.ok()) {
        reactor->Finish(ToGrpc(given.status()));
        return reactor;
      }
      spec = *std::move(given);
    }
    gateway_.root->Join(request->federation(), request->client(), std::move(spec),
                        [reactor, reply](absl::StatusOr<JoinResult> result) {
                          if (!result.ok()) return reactor->Finish(ToGrpc(result.status()));
                          if (result->spec != nullptr) *reply->mutable_spec() = ToProto(*result->spec);
                          reply->set_chunk_bytes(limits::kChunkBytes);
                          *reply->mutable_round() = ToProto(*result->snapshot);
                          reactor->Finish(grpc::Status::OK);
                        });
    return reactor;
  }

  grpc::ServerUnaryReactor* Leave(grpc::CallbackServerContext* context, const v1::LeaveRequest* request,
                                  v1::LeaveReply*) override {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    if (absl::Status status = CheckIdentity(*context, gateway_.mutual_tls, request->client()); !status.ok()) {
      reactor->Finish(ToGrpc(status));
      return reactor;
    }
    gateway_.root->Leave(request->federation(), request->client(),
                         [reactor](const absl::Status& status) { reactor->Finish(ToGrpc(status)); });
    return reactor;
  }

  grpc::ServerUnaryReactor* Status(grpc::CallbackServerContext* context, const v1::StatusRequest* request,
                                   v1::StatusReply* reply) override {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reply->set_memory_used_bytes(gateway_.store->budget().used());
    reply->set_memory_budget_bytes(gateway_.store->budget().capacity());
    reply->set_server_version(kVersion);
    gateway_.root->Snapshots(request->federation(),
                             [reactor, reply](const absl::StatusOr<std::vector<std::shared_ptr<const Snapshot>>>& all) {
                               if (!all.ok()) return reactor->Finish(ToGrpc(all.status()));
                               FillRounds(*all, *reply);
                               reactor->Finish(grpc::Status::OK);
                             });
    return reactor;
  }

  grpc::ServerUnaryReactor* Place(grpc::CallbackServerContext* context, const v1::PlaceRequest* request,
                                  v1::PlaceReply* reply) override {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    absl::Status allowed = CheckIdentity(*context, gateway_.mutual_tls, request->client());
    allowed.Update(CheckPlaceRequest(*request, std::min(gateway_.upload_bytes_max, limits::kPayloadBytesMax)));
    if (!allowed.ok()) {
      reactor->Finish(ToGrpc(allowed));
      return reactor;
    }
    gateway_.root->Place({request->federation(), request->client(), request->zone(), request->payload_bytes()},
                         [reactor, reply, peer = context->peer()](const absl::StatusOr<std::string>& address) {
                           if (!address.ok()) return reactor->Finish(ToGrpc(address.status()));
                           if (CanDial(peer, *address)) reply->set_address(*address);
                           reactor->Finish(grpc::Status::OK);
                         });
    return reactor;
  }

  grpc::ServerUnaryReactor* ResumePoint(grpc::CallbackServerContext* context, const v1::ResumePointRequest* request,
                                        v1::ResumePointReply* reply) override {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    if (absl::Status status = CheckIdentity(*context, gateway_.mutual_tls, request->client()); !status.ok()) {
      reactor->Finish(ToGrpc(status));
      return reactor;
    }
    const UploadKey key = KeyOf(*request);
    Store* const store = gateway_.store;
    gateway_.root->CheckUpload(key, [store, reactor, reply, key](const absl::StatusOr<Admission>& admission) {
      if (!admission.ok()) return reactor->Finish(ToGrpc(admission.status()));
      if (admission->receipt) {
        reply->set_offset(admission->receipt->bytes);
        *reply->mutable_receipt() = ToProto(*admission->receipt);
      } else {
        reply->set_offset(store->ResumePoint(key));
      }
      reactor->Finish(grpc::Status::OK);
    });
    return reactor;
  }

  grpc::ServerWriteReactor<v1::RoundEvent>* Watch(grpc::CallbackServerContext*,
                                                  const v1::WatchRequest* request) override {
    return new WatchReactor(gateway_, request->federation());
  }

  grpc::ServerReadReactor<grpc::ByteBuffer>* Push(grpc::CallbackServerContext* context,
                                                  grpc::ByteBuffer* response) override {
    return new PushReactor(gateway_, context, response);
  }

  grpc::ServerWriteReactor<grpc::ByteBuffer>* Pull(grpc::CallbackServerContext* context,
                                                   const grpc::ByteBuffer* request) override {
    return new PullReactor(gateway_, context, request);
  }

 private:
  const GatewayContext& gateway_;
};

}  // namespace

std::unique_ptr<grpc::Service> MakeFederationService(const GatewayContext& gateway) {
  return std::make_unique<FederationService>(gateway);
}

}  // namespace cairn
