#include "server/node/node_service.h"

#include <string>
#include <utility>

#include "base/status_macros.h"
#include "server/gateway/convert.h"
#include "server/gateway/credentials.h"
#include "server/node/attend_reactor.h"
#include "server/node/deliver_reactor.h"
#include "server/node/from_proto.h"

namespace cairn {
namespace {

using Rpc = v1::Node;
using Base = Rpc::WithCallbackMethod_Attend<Rpc::WithCallbackMethod_CheckUpload<Rpc::WithCallbackMethod_TellUploads<
    Rpc::WithCallbackMethod_Contribute<Rpc::WithCallbackMethod_Keep<Rpc::WithCallbackMethod_ReportLost<
        Rpc::WithCallbackMethod_Reduce<Rpc::WithRawCallbackMethod_Deliver<Rpc::Service>>>>>>>>;

UploadKey KeyOf(const v1::UploadNotice& notice) {
  return {notice.federation(), notice.round(), notice.client(), "", notice.payload_bytes()};
}

SealedUpdate UpdateOf(const v1::ContributeRequest& request) {
  SealedUpdate update;
  update.key = {request.federation(), request.round(), request.client(), request.sha256(), request.payload_bytes()};
  update.examples = request.examples();
  update.adapter_config = request.adapter_config();
  update.frozen = request.frozen();
  if (request.has_frozen_failure()) update.frozen = FromProto(request.frozen_failure());
  update.node = request.node();
  update.header = request.header();
  return update;
}

class NodeService final : public Base {
 public:
  NodeService(const GatewayContext& gateway, Coordinator* coordinator, NodeTable* table, bool check_identity)
      : gateway_(gateway), coordinator_(coordinator), table_(table), check_identity_(check_identity) {}

  grpc::ServerWriteReactor<v1::RootNotice>* Attend(grpc::CallbackServerContext* context,
                                                   const v1::AttendRequest* request) override {
    return new AttendReactor(coordinator_, table_, *request, CheckIdentity(*context, check_identity_, request->node()));
  }

  grpc::ServerUnaryReactor* CheckUpload(grpc::CallbackServerContext* context, const v1::ResumePointRequest* request,
                                        v1::AdmissionReply* reply) override {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    coordinator_->CheckUpload(cairn::KeyOf(*request), [reactor, reply](const absl::StatusOr<Admission>& admission) {
      if (!admission.ok()) return reactor->Finish(ToGrpc(admission.status()));
      if (admission->receipt) *reply->mutable_receipt() = ToProto(*admission->receipt);
      if (admission->spec != nullptr) *reply->mutable_spec() = ToProto(*admission->spec);
      reply->set_combine(admission->combine);
      reply->set_sums_up(admission->sums_up);
      reactor->Finish(grpc::Status::OK);
    });
    return reactor;
  }

  grpc::ServerUnaryReactor* TellUploads(grpc::CallbackServerContext* context, const v1::UploadNotices* notices,
                                        v1::UploadNoticesReply*) override {
    for (const v1::UploadNotice& notice : notices->notices()) {
      if (notice.ended()) {
        coordinator_->UploadEnded(KeyOf(notice), FromProto(notice.refusal()));
      } else {
        coordinator_->Progress(KeyOf(notice), notice.received());
      }
    }
    return Finished(context, absl::OkStatus());
  }

  grpc::ServerUnaryReactor* Contribute(grpc::CallbackServerContext* context, const v1::ContributeRequest* request,
                                       v1::ContributeReply* reply) override {
    if (request->node().empty()) return Finished(context, absl::InvalidArgumentError("contribute: no node"));
    absl::StatusOr<std::string> directory = DirectoryOf(*context, *request);
    if (!directory.ok()) return Finished(context, directory.status());
    SealedUpdate update = UpdateOf(*request);
    update.directory = *std::move(directory);
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    coordinator_->Contribute(std::move(update), [reactor, reply](const absl::StatusOr<ReceiptRow>& receipt) {
      if (!receipt.ok()) return reactor->Finish(ToGrpc(receipt.status()));
      *reply->mutable_receipt() = ToProto(*receipt);
      reply->set_node(receipt->node);
      reactor->Finish(grpc::Status::OK);
    });
    return reactor;
  }

  grpc::ServerUnaryReactor* Keep(grpc::CallbackServerContext* context, const v1::KeepRequest* request,
                                 v1::KeepReply* reply) override {
    const absl::Status allowed = DirectoryOf(*context, *request).status();
    if (!allowed.ok()) return Finished(context, allowed);
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    coordinator_->KeptBy(request->node(), request->federation(), [reactor, reply](const absl::StatusOr<Kept>& kept) {
      if (!kept.ok()) return reactor->Finish(ToGrpc(kept.status()));
      reply->set_round(kept->round);
      for (const std::string& name : kept->names) reply->add_names(name);
      reactor->Finish(grpc::Status::OK);
    });
    return reactor;
  }

  grpc::ServerUnaryReactor* ReportLost(grpc::CallbackServerContext* context, const v1::LostUpdates* lost,
                                       v1::LostUpdatesReply*) override {
    const absl::Status allowed = DirectoryOf(*context, *lost).status();
    if (!allowed.ok()) return Finished(context, allowed);
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    coordinator_->UpdatesLost(lost->node(), lost->federation(), lost->round(),
                              {lost->names().begin(), lost->names().end()},
                              [reactor](const absl::Status& told) { reactor->Finish(ToGrpc(told)); });
    return reactor;
  }

  grpc::ServerUnaryReactor* Reduce(grpc::CallbackServerContext* context, const v1::ReduceRequest* request,
                                   v1::ReduceReply* reply) override {
    const absl::Status allowed = CheckIdentity(*context, check_identity_, request->node());
    if (!allowed.ok()) return Finished(context, allowed);
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    table_->Reduced(request->node(), request->fetch(), request->greatest(),
                    {request->values().begin(), request->values().end()},
                    [reactor, reply](const absl::StatusOr<Meeting::Values>& values) {
                      if (!values.ok()) return reactor->Finish(ToGrpc(values.status()));
                      reply->mutable_values()->Add(values->begin(), values->end());
                      reactor->Finish(grpc::Status::OK);
                    });
    return reactor;
  }

  grpc::ServerReadReactor<grpc::ByteBuffer>* Deliver(grpc::CallbackServerContext* context,
                                                     grpc::ByteBuffer* reply) override {
    const grpc::Slice empty("");
    *reply = grpc::ByteBuffer(&empty, 1);
    return new DeliverReactor(gateway_, context, table_, [this, context](const std::string& node) {
      return CheckIdentity(*context, check_identity_, node);
    });
  }

 private:
  // Of the node that calls. UNAVAILABLE: this process of it does not attend.
  template <typename Request>
  absl::StatusOr<std::string> DirectoryOf(grpc::CallbackServerContext& context, const Request& request) const {
    CAIRN_RETURN_IF_ERROR(CheckIdentity(context, check_identity_, request.node()));
    return table_->DirectoryOf(request.node(), request.process());
  }

  static grpc::ServerUnaryReactor* Finished(grpc::CallbackServerContext* context, const absl::Status& status) {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(ToGrpc(status));
    return reactor;
  }

  const GatewayContext& gateway_;
  Coordinator* coordinator_;
  NodeTable* table_;
  const bool check_identity_;
};

}  // namespace

std::unique_ptr<grpc::Service> MakeNodeService(const GatewayContext& gateway, Coordinator* coordinator,
                                               NodeTable* table, bool check_identity) {
  return std::make_unique<NodeService>(gateway, coordinator, table, check_identity);
}

}  // namespace cairn
