#include "server/node/root_connection.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/node/node_channel.h"

namespace cairn {

RootConnection::RootConnection(const std::string& address, const std::shared_ptr<grpc::ChannelCredentials>& credentials)
    : name_("the root at " + address),
      channel_(NodeChannel(address, credentials)),
      federation_(v1::Federation::NewStub(channel_)),
      node_(v1::Node::NewStub(channel_)),
      generic_(channel_) {}

absl::Status RootConnection::Named(const absl::Status& result) const {
  if (absl::IsUnimplemented(result)) {
    return absl::UnimplementedError(absl::StrCat(
        name_, " does not know gateways: is that the server's node_listen, and the same release? ", result.message()));
  }
  if (!absl::IsUnavailable(result) || absl::StartsWith(result.message(), name_)) return result;
  return absl::UnavailableError(absl::StrCat(name_, ": ", result.message()));
}

}  // namespace cairn
