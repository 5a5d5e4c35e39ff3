// TLS of the gateway, who a client is under mutual TLS, and TLS towards the root.
#pragma once

#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_context.h>

#include <filesystem>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace cairn {

// PEM files. Without `certificate`: plaintext. With `client_ca`: clients must present a certificate that it signed.
struct TlsFiles {
  std::filesystem::path certificate, key, client_ca;
};

// INVALID_ARGUMENT, NOT_FOUND: names the file and what is wrong with it.
absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> MakeServerCredentials(const TlsFiles& files);

// PEM files of a node, by which it knows the root and the root knows it. All or none: plaintext.
struct RootTlsFiles {
  std::filesystem::path ca, certificate, key;
};

// INVALID_ARGUMENT, NOT_FOUND as above.
absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> MakeRootCredentials(const RootTlsFiles& files);

// Under mutual TLS: PERMISSION_DENIED unless `client` is the certificate's common name or one of its DNS names.
absl::Status CheckIdentity(const grpc::CallbackServerContext& context, bool mutual_tls, const std::string& client);

}  // namespace cairn
