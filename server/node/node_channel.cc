#include "server/node/node_channel.h"

#include "wire/channel_arguments.h"

namespace cairn {
namespace {

constexpr int kKeepaliveMs = 10'000;

}  // namespace

std::shared_ptr<grpc::Channel> NodeChannel(const std::string& address,
                                           const std::shared_ptr<grpc::ChannelCredentials>& credentials,
                                           const std::string& name) {
  grpc::ChannelArguments arguments = wire::ChannelArguments(kKeepaliveMs);
  if (!name.empty()) arguments.SetSslTargetNameOverride(name);
  return grpc::CreateCustomChannel(address, credentials, arguments);
}

}  // namespace cairn
