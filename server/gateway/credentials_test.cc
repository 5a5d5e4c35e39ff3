#include "server/gateway/credentials.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/files.h"
#include "base/test_directory.h"

namespace cairn {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class CredentialsTest : public ::testing::Test {
 protected:
  std::filesystem::path File(const std::string& name, const std::string& text) {
    EXPECT_TRUE(WriteFileAtomically(directory_ / name, text).ok());
    return directory_ / name;
  }
  std::filesystem::path Pem(const std::string& name) {
    return File(name, "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n");
  }
  // NAME.pem and NAME.key, which belong together.
  void Issue(const std::string& name) {
    EVP_PKEY* const key = EVP_EC_gen("P-256");
    X509* const certificate = X509_new();
    X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 60);
    X509_set_pubkey(certificate, key);
    X509_sign(certificate, key, EVP_sha256());
    FILE* const pem = fopen((directory_ / (name + ".pem")).c_str(), "w");
    FILE* const secret = fopen((directory_ / (name + ".key")).c_str(), "w");
    EXPECT_EQ(PEM_write_X509(pem, certificate), 1);
    EXPECT_EQ(PEM_write_PrivateKey(secret, key, nullptr, nullptr, 0, nullptr, nullptr), 1);
    fclose(pem);
    fclose(secret);
    X509_free(certificate);
    EVP_PKEY_free(key);
  }
  TestDirectory directory_;
};

TEST_F(CredentialsTest, NoFilesMeanPlaintext) {
  auto credentials = MakeServerCredentials({});
  ASSERT_TRUE(credentials.ok()) << credentials.status();
  EXPECT_NE(*credentials, nullptr);
}

TEST_F(CredentialsTest, FilesMeanTls) {
  EXPECT_TRUE(MakeServerCredentials({Pem("c"), Pem("k"), ""}).ok());
  EXPECT_TRUE(MakeServerCredentials({Pem("c"), Pem("k"), Pem("ca")}).ok());
}

// Falling back to plaintext would be the worst answer to a half-written configuration.
TEST_F(CredentialsTest, HalfAPairIsRefused) {
  for (const TlsFiles& files : {TlsFiles{Pem("c"), "", ""}, TlsFiles{"", Pem("k"), ""}, TlsFiles{"", "", Pem("ca")}}) {
    const auto credentials = MakeServerCredentials(files);
    EXPECT_EQ(credentials.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(credentials.status().message(), HasSubstr("certificate and key belong together"));
  }
}

TEST_F(CredentialsTest, AKeyOfAnotherCertificateIsRefused) {
  Issue("a");
  Issue("b");
  EXPECT_TRUE(MakeServerCredentials({directory_ / "a.pem", directory_ / "a.key", ""}).ok());
  const auto server = MakeServerCredentials({directory_ / "a.pem", directory_ / "b.key", ""});
  EXPECT_EQ(server.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(server.status().message(), AllOf(HasSubstr("b.key is not the key of"), HasSubstr("a.pem")));
  EXPECT_TRUE(MakeRootCredentials({Pem("ca"), directory_ / "b.pem", directory_ / "b.key"}).ok());
  EXPECT_FALSE(MakeRootCredentials({Pem("ca"), directory_ / "a.pem", directory_ / "b.key"}).ok());
}

TEST_F(CredentialsTest, AFileThatIsMissingOrNoPemIsNamed) {
  const auto missing = MakeServerCredentials({directory_ / "none", Pem("k"), ""});
  EXPECT_EQ(missing.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(missing.status().message(), HasSubstr((directory_ / "none").string()));
  const std::filesystem::path text = File("text", "not a key");
  for (const TlsFiles& files :
       {TlsFiles{text, Pem("k"), ""}, TlsFiles{Pem("c"), text, ""}, TlsFiles{Pem("c"), Pem("k"), text}}) {
    const auto credentials = MakeServerCredentials(files);
    EXPECT_EQ(credentials.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(credentials.status().message(), AllOf(HasSubstr(text.string()), HasSubstr("PEM")));
  }
}

}  // namespace
}  // namespace cairn
