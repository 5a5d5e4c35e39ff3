#include "server/gateway/credentials.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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
