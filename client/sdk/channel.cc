#include "client/sdk/channel.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include <string>

#include "base/files.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "client/sdk/status.h"
#include "wire/channel_arguments.h"

namespace cairn::sdk {
namespace {

constexpr int kKeepaliveMs = 20'000;

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

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::Channel>> OpenChannel(const ClientOptions& options) {
  return OpenChannel(options, options.server);
}

absl::StatusOr<std::shared_ptr<grpc::Channel>> OpenChannel(const ClientOptions& options, const std::string& server) {
  CAIRN_ASSIGN_OR_RETURN(const auto credentials, Credentials(options.tls));
  return grpc::CreateCustomChannel(server, credentials, wire::ChannelArguments(kKeepaliveMs));
}

}  // namespace cairn::sdk
