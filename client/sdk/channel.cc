#include "client/sdk/channel.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

#include <string>

#include "base/files.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "client/sdk/status.h"

namespace cairn::sdk {
namespace {

constexpr int kKeepaliveMs = 20'000;  // A dead server is noticed within this and the next, even in an idle Watch.
constexpr int kKeepaliveTimeoutMs = 10'000;
constexpr int kConnectTimeoutMs = 5'000;
constexpr int kReconnectFirstMs = 200;
constexpr int kReconnectMostMs = 2'000;

absl::StatusOr<std::string> ReadPem(const char* what, const std::filesystem::path& path) {
  if (path.empty()) return std::string();
  absl::StatusOr<std::string> pem = ReadFile(path, limits::kMiB);
  if (!pem.ok()) return Annotate(pem.status(), what);
  return pem;
}

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> Credentials(const ClientTls& tls) {
  if (tls.certificate.empty() != tls.key.empty()) {
    return absl::InvalidArgumentError("tls: mutual TLS needs both a certificate and its key; only one is given");
  }
  if (!tls.enabled && tls.root_ca.empty() && tls.certificate.empty()) return grpc::InsecureChannelCredentials();
  grpc::SslCredentialsOptions pem;
  CAIRN_ASSIGN_OR_RETURN(pem.pem_root_certs, ReadPem("tls root_ca", tls.root_ca));
  CAIRN_ASSIGN_OR_RETURN(pem.pem_cert_chain, ReadPem("tls certificate", tls.certificate));
  CAIRN_ASSIGN_OR_RETURN(pem.pem_private_key, ReadPem("tls key", tls.key));
  return grpc::SslCredentials(pem);
}

grpc::ChannelArguments Arguments() {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(limits::kMessageBytesMax);
  arguments.SetMaxSendMessageSize(limits::kMessageBytesMax);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kReconnectFirstMs);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kReconnectMostMs);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kConnectTimeoutMs);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // Each Client has a connection of its own.
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);  // Retries are decided here; gRPC need not buffer for its own.
  return arguments;
}

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::Channel>> OpenChannel(const ClientOptions& options) {
  CAIRN_ASSIGN_OR_RETURN(const auto credentials, Credentials(options.tls));
  return grpc::CreateCustomChannel(options.server, credentials, Arguments());
}

}  // namespace cairn::sdk
