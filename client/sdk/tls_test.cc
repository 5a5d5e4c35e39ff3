#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "client/sdk/client.h"
#include "client/sdk/testing_server.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cairn::sdk {
namespace {

namespace fs = std::filesystem;

struct Identity {
  std::string certificate, key;  // PEM.
};

template <typename Writer>
std::string Pem(Writer write) {
  std::unique_ptr<BIO, decltype(&BIO_free_all)> bio(BIO_new(BIO_s_mem()), &BIO_free_all);
  EXPECT_EQ(write(bio.get()), 1);
  char* data = nullptr;
  const long bytes = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<std::size_t>(bytes)};
}

void AddExtension(X509* certificate, int nid, const char* value) {
  std::unique_ptr<X509_EXTENSION, decltype(&X509_EXTENSION_free)> extension(
      X509V3_EXT_conf_nid(nullptr, nullptr, nid, value), &X509_EXTENSION_free);
  ASSERT_EQ(X509_add_ext(certificate, extension.get(), -1), 1);
}

// A certificate that is its own authority, valid for loopback and for the next hour.
Identity SelfSigned(const std::string& name) {
  std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(EVP_EC_gen("P-256"), &EVP_PKEY_free);
  std::unique_ptr<X509, decltype(&X509_free)> certificate(X509_new(), &X509_free);
  X509_set_version(certificate.get(), X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -60);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
  X509_NAME* subject = X509_get_subject_name(certificate.get());
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1,
                             0);
  X509_set_issuer_name(certificate.get(), subject);
  X509_set_pubkey(certificate.get(), key.get());
  AddExtension(certificate.get(), NID_subject_alt_name, "IP:127.0.0.1");
  AddExtension(certificate.get(), NID_basic_constraints, "critical,CA:TRUE");
  X509_sign(certificate.get(), key.get(), EVP_sha256());
  return {Pem([&](BIO* bio) { return PEM_write_bio_X509(bio, certificate.get()); }), Pem([&](BIO* bio) {
            return PEM_write_bio_PKCS8PrivateKey(bio, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
          })};
}

class TlsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "cairn-tls-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    directory_ = name;
  }
  void TearDown() override { fs::remove_all(directory_); }

  fs::path Save(const std::string& name, const std::string& pem) {
    std::ofstream(directory_ / name) << pem;
    return directory_ / name;
  }
  ClientOptions Options() {
    ClientOptions options = TestingOptions(server_);
    options.retry.give_up_after = absl::Milliseconds(300);  // A failed handshake looks like a server that is not there.
    return options;
  }
  void Start(const grpc::SslServerCredentialsOptions& options) { server_.Start(grpc::SslServerCredentials(options)); }

  fs::path directory_;
  TestingServer server_;
  const Identity server_identity_ = SelfSigned("server");
};

TEST_F(TlsTest, TrustsTheGivenAuthorityOnly) {
  grpc::SslServerCredentialsOptions server;
  server.pem_key_cert_pairs.push_back({server_identity_.key, server_identity_.certificate});
  Start(server);
  ClientOptions options = Options();
  options.tls.root_ca = Save("ca.pem", server_identity_.certificate);
  EXPECT_TRUE(Client::Join(options).ok());
  options.tls.root_ca = Save("other.pem", SelfSigned("other").certificate);
  EXPECT_EQ(Client::Join(options).status().code(), absl::StatusCode::kUnavailable);
  options.tls = {};  // Plaintext.
  EXPECT_EQ(Client::Join(options).status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(TlsTest, AGatewayThatItIsSentToIsVerifiedAsAnyOther) {
  grpc::SslServerCredentialsOptions server, impostor;
  server.pem_key_cert_pairs.push_back({server_identity_.key, server_identity_.certificate});
  const Identity other = SelfSigned("other");
  impostor.pem_key_cert_pairs.push_back({other.key, other.certificate});
  Start(server);
  TestingServer same, forged;
  same.Start(grpc::SslServerCredentials(server));
  forged.Start(grpc::SslServerCredentials(impostor));
  ClientOptions options = Options();
  options.tls.root_ca = Save("ca.pem", server_identity_.certificate);
  const auto client = Client::Join(options);
  ASSERT_TRUE(client.ok()) << client.status();
  for (TestingServer* target : {&same, &forged}) {
    target->With([](TestingState& state) { state.knows_client = true; });
    server_.With([&](TestingState& state) { state.place = target->address(); });
    const absl::Status pushed = (*client)->PushBytes(Round{1}, "{}", "payload", 10).status();
    ASSERT_TRUE(pushed.ok()) << pushed;
    const auto uploads = [](TestingState& state) { return state.push_offsets.size(); };
    EXPECT_EQ(target->With(uploads), target == &same ? 1u : 0u);
    EXPECT_EQ(server_.With(uploads), target == &same ? 0u : 1u);
  }
}

TEST_F(TlsTest, PresentsItsCertificate) {
  const Identity client_identity = SelfSigned("client-1");
  grpc::SslServerCredentialsOptions server(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  server.pem_key_cert_pairs.push_back({server_identity_.key, server_identity_.certificate});
  server.pem_root_certs = client_identity.certificate;
  Start(server);
  ClientOptions options = Options();
  options.tls.root_ca = Save("ca.pem", server_identity_.certificate);
  EXPECT_EQ(Client::Join(options).status().code(), absl::StatusCode::kUnavailable);
  options.tls.certificate = Save("client.pem", client_identity.certificate);
  options.tls.key = Save("client.key", client_identity.key);
  const auto client = Client::Join(options);
  EXPECT_TRUE(client.ok()) << client.status();
}

}  // namespace
}  // namespace cairn::sdk
