#include "server/gateway/credentials.h"

#include <grpc/grpc_security_constants.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <algorithm>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/files.h"
#include "base/limits.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

absl::StatusOr<std::string> ReadPem(const std::filesystem::path& path) {
  CAIRN_ASSIGN_OR_RETURN(std::string pem, ReadFile(path, limits::kMiB));
  if (absl::StrContains(pem, "-----BEGIN ")) return pem;
  return absl::InvalidArgumentError(absl::StrCat("tls: ", path.string(), ": expected a PEM file"));
}

// gRPC would only say that it cannot listen. What is no certificate or key at all is left to it: it may know more
// kinds.
absl::Status CheckPair(const TlsFiles& files, const std::string& certificate, const std::string& key) {
  using Bio = std::unique_ptr<BIO, decltype(&BIO_free)>;
  const auto open = [](const std::string& pem) {
    return Bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), BIO_free);
  };
  const auto no_password = [](char*, int, int, void*) { return 0; };  // Nobody is there to be asked for one.
  const std::unique_ptr<X509, decltype(&X509_free)> leaf(
      PEM_read_bio_X509(open(certificate).get(), nullptr, no_password, nullptr), X509_free);
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> own(
      PEM_read_bio_PrivateKey(open(key).get(), nullptr, no_password, nullptr), EVP_PKEY_free);
  if (leaf == nullptr || own == nullptr || X509_check_private_key(leaf.get(), own.get()) == 1) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("tls: ", files.key.string(), " is not the key of the certificate in ", files.certificate.string()));
}

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> MakeServerCredentials(const TlsFiles& files) {
  if (files.certificate.empty() && files.key.empty() && files.client_ca.empty()) {
    return grpc::InsecureServerCredentials();
  }
  if (files.certificate.empty() || files.key.empty()) {
    return absl::InvalidArgumentError("tls: certificate and key belong together: one of them is missing");
  }
  grpc::SslServerCredentialsOptions options;
  CAIRN_ASSIGN_OR_RETURN(std::string key, ReadPem(files.key));
  CAIRN_ASSIGN_OR_RETURN(std::string certificate, ReadPem(files.certificate));
  CAIRN_RETURN_IF_ERROR(CheckPair(files, certificate, key));
  options.pem_key_cert_pairs.push_back({std::move(key), std::move(certificate)});
  if (!files.client_ca.empty()) {
    CAIRN_ASSIGN_OR_RETURN(options.pem_root_certs, ReadPem(files.client_ca));
    options.client_certificate_request = GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY;
  }
  return grpc::SslServerCredentials(options);
}

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> MakeRootCredentials(const RootTlsFiles& files) {
  if (files.ca.empty() && files.certificate.empty() && files.key.empty()) return grpc::InsecureChannelCredentials();
  if (files.ca.empty() || files.certificate.empty() || files.key.empty()) {
    return absl::InvalidArgumentError("root_tls: ca, certificate and key belong together: one of them is missing");
  }
  grpc::SslCredentialsOptions options;
  CAIRN_ASSIGN_OR_RETURN(options.pem_root_certs, ReadPem(files.ca));
  CAIRN_ASSIGN_OR_RETURN(options.pem_cert_chain, ReadPem(files.certificate));
  CAIRN_ASSIGN_OR_RETURN(options.pem_private_key, ReadPem(files.key));
  CAIRN_RETURN_IF_ERROR(CheckPair({files.certificate, files.key, {}}, options.pem_cert_chain, options.pem_private_key));
  return grpc::SslCredentials(options);
}

absl::Status CheckIdentity(const grpc::CallbackServerContext& context, bool mutual_tls, const std::string& client) {
  if (!mutual_tls) return absl::OkStatus();
  std::vector<std::string> names;
  auto collect = [&](const char* property) {
    for (const grpc::string_ref& value : context.auth_context()->FindPropertyValues(property)) {
      std::string name(value.data(), value.size());  // Often the common name is a DNS name, too.
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(std::move(name));
    }
  };
  collect(GRPC_X509_CN_PROPERTY_NAME);
  collect(GRPC_X509_SAN_PROPERTY_NAME);
  if (std::find(names.begin(), names.end(), client) != names.end()) return absl::OkStatus();
  return absl::PermissionDeniedError(
      absl::StrCat("\"", client, "\" is not a name of the certificate presented (", absl::StrJoin(names, ", "), ")"));
}

}  // namespace cairn
