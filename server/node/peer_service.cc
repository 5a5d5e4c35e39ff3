#include "server/node/peer_service.h"

#include <string>

#include "server/gateway/credentials.h"
#include "server/node/read_reactor.h"

namespace cairn {
namespace {

class PeerService final : public v1::Peer::WithRawCallbackMethod_Read<v1::Peer::Service> {
 public:
  PeerService(const GatewayContext& gateway, Store* store, bool check_identity)
      : gateway_(gateway), store_(store), check_identity_(check_identity) {}

  grpc::ServerWriteReactor<grpc::ByteBuffer>* Read(grpc::CallbackServerContext* context,
                                                   const grpc::ByteBuffer* request) override {
    return new ReadReactor(gateway_, store_, context, *request, [this, context](const std::string& node) {
      return CheckIdentity(*context, check_identity_, node);
    });
  }

 private:
  const GatewayContext& gateway_;
  Store* store_;
  const bool check_identity_;
};

}  // namespace

std::unique_ptr<grpc::Service> MakePeerService(const GatewayContext& gateway, Store* store, bool check_identity) {
  return std::make_unique<PeerService>(gateway, store, check_identity);
}

}  // namespace cairn
