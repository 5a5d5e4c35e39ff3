#include "server/node/root_connection.h"

#include "server/node/node_channel.h"

namespace cairn {

RootConnection::RootConnection(const std::string& address, const std::shared_ptr<grpc::ChannelCredentials>& credentials)
    : channel_(NodeChannel(address, credentials)),
      federation_(v1::Federation::NewStub(channel_)),
      node_(v1::Node::NewStub(channel_)),
      generic_(channel_) {}

}  // namespace cairn
