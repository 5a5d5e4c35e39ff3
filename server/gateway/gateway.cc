#include "server/gateway/gateway.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/resource_quota.h>

#include <chrono>

#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "config/address.h"
#include "server/gateway/federation_service.h"

namespace cairn {
namespace {

constexpr int kClientPingIntervalMilliseconds = 5'000;  // Clients may ping this often.
constexpr std::chrono::seconds kShutdownGrace(2);

void Configure(grpc::ServerBuilder& builder, const GatewayOptions& options) {
  builder.SetMaxReceiveMessageSize(static_cast<int>(limits::kMessageBytesMax));
  builder.SetMaxSendMessageSize(static_cast<int>(limits::kMessageBytesMax));
  const auto keepalive = static_cast<int>(std::chrono::milliseconds(options.keepalive).count());
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, keepalive);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, keepalive);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, kClientPingIntervalMilliseconds);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);  // Two servers on one port would share its clients silently.
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, options.streams_per_connection);
  // Fixed windows: a stream that is read has one message under way, one that waits for memory 64 KiB. Windows that
  // follow the bandwidth-delay product would hold tens of MiB a connection on loopback, outside every budget.
  builder.AddChannelArgument(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  // The last resort: gRPC ends streams when its buffers reach this.
  builder.SetResourceQuota(grpc::ResourceQuota("cairn").Resize(options.network_bytes_max));
}

}  // namespace

Gateway::Gateway(const GatewayOptions& options, Root* root, Store* store, Metrics* metrics)
    : context_{root,
               store,
               metrics,
               &workers_,
               &watch_,
               options.upload_bytes_max,
               options.verify_sha256,
               options.check_identity && !options.tls.client_ca.empty()} {}

absl::StatusOr<std::unique_ptr<Gateway>> Gateway::Start(const GatewayOptions& options, Root* root, Store* store,
                                                        Metrics* metrics, const std::vector<MakeService>& more) {
  CAIRN_ASSIGN_OR_RETURN(HostPort listen, ParseHostPort(options.listen));
  CAIRN_ASSIGN_OR_RETURN(auto credentials, MakeServerCredentials(options.tls));
  std::unique_ptr<Gateway> gateway(new Gateway(options, root, store, metrics));
  if (root != nullptr) gateway->services_.push_back(MakeFederationService(gateway->context_));
  for (const MakeService& make : more) gateway->services_.push_back(make(gateway->context_));

  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  grpc::ServerBuilder builder;
  Configure(builder, options);
  int port = 0;
  builder.AddListeningPort(options.listen, credentials, &port);
  for (const auto& service : gateway->services_) builder.RegisterService(service.get());
  gateway->server_ = builder.BuildAndStart();
  if (gateway->server_ == nullptr || port == 0) {
    return absl::UnavailableError(
        absl::StrCat("cannot listen on ", options.listen, ": is the address in use, or not of this machine",
                     options.tls.certificate.empty() ? "?" : ", or is one of its TLS files damaged?"));
  }
  listen.port = static_cast<std::uint16_t>(port);
  gateway->address_ = FormatHostPort(listen);
  return gateway;
}

Gateway::~Gateway() {
  if (server_ != nullptr) server_->Shutdown(std::chrono::system_clock::now() + kShutdownGrace);
}

}  // namespace cairn
