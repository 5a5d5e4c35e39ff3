// Encrypted connections, and who may call itself what.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "aggregators/testing.h"
#include "base/files.h"
#include "base/test_directory.h"
#include "tests/integration/certificates.h"
#include "tests/integration/remote.h"
#include "tests/integration/server_process.h"

namespace cairn::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

const std::vector<ModuleSpec> kModules = {{"block.up", 8, 8}};

class TlsTest : public ::testing::Test {
 protected:
  // `client_ca`: mutual TLS.
  void Serve(bool client_ca) {
    const Identity server = authority_.Issue("server", "IP:127.0.0.1");
    std::string config =
        absl::StrCat("tls:\n  certificate: ", server.certificate.string(), "\n  key: ", server.key.string(), "\n");
    if (client_ca) absl::StrAppend(&config, "  client_ca: ", authority_.certificate().string(), "\n");
    server_ = std::make_unique<ServerProcess>(directory_.path(), config + "federations:\n  - {name: f, rounds: 1}\n");
    const absl::Status started = server_->Start();
    ASSERT_TRUE(started.ok()) << started;
  }

  ClientOptions Options(const std::string& client) {
    ClientOptions options = FastOptions(server_->address(), "f", client);
    options.tls.root_ca = authority_.certificate();
    options.retry.give_up_after = absl::Milliseconds(400);  // A failed handshake looks like a server that is not there.
    return options;
  }

  ClientOptions OptionsWith(const Identity& identity, const std::string& client) {
    ClientOptions options = Options(client);
    options.tls.certificate = identity.certificate;
    options.tls.key = identity.key;
    return options;
  }

  static absl::StatusCode JoinCode(const ClientOptions& options) { return Client::Join(options).status().code(); }

  static void ExpectWholeRound(const ClientOptions& options) {
    const auto client = Client::Join(options, ShapeOf(kModules));
    ASSERT_TRUE(client.ok()) << client.status();
    const auto round = (*client)->AwaitRound(absl::Seconds(20));
    ASSERT_TRUE(round.ok()) << round.status();
    const UpdateBytes update = MakeUpdateBytes(1, kModules, 2, 2, DType::kF32);
    EXPECT_TRUE((*client)->PushBytes(*round, update.config_json, update.safetensors, 1).ok());
    EXPECT_EQ((*client)->AwaitRound(absl::Seconds(20)).status().code(), absl::StatusCode::kOutOfRange);
  }

  const TestDirectory directory_;
  const Authority authority_{directory_.path(), "ca"};
  std::unique_ptr<ServerProcess> server_;
};

TEST_F(TlsTest, RunsARoundWithTheRightAuthorityOnly) {
  Serve(false);
  ExpectWholeRound(Options("client-1"));
  ClientOptions options = Options("client-2");
  options.tls.root_ca = Authority(directory_.path(), "other").certificate();
  EXPECT_EQ(JoinCode(options), absl::StatusCode::kUnavailable);
  options.tls = {};  // Plaintext.
  EXPECT_EQ(JoinCode(options), absl::StatusCode::kUnavailable);
}

TEST_F(TlsTest, AClientsCertificateNamesIt) {
  Serve(true);
  ExpectWholeRound(OptionsWith(authority_.Issue("client-1"), "client-1"));
  EXPECT_EQ(JoinCode(OptionsWith(authority_.Issue("somebody", "DNS:client-2"), "client-2")), absl::StatusCode::kOk);
  EXPECT_EQ(JoinCode(Options("client-1")), absl::StatusCode::kUnavailable);  // None.
  const Authority other(directory_.path(), "other");
  EXPECT_EQ(JoinCode(OptionsWith(other.Issue("client-1"), "client-1")), absl::StatusCode::kUnavailable);
}

TEST_F(TlsTest, AClientCannotSpeakForAnother) {
  Serve(true);
  const Identity identity = authority_.Issue("client-1");
  const absl::Status join = Client::Join(OptionsWith(identity, "client-2")).status();
  EXPECT_EQ(join.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(std::string(join.message()), AllOf(HasSubstr("\"client-2\""), HasSubstr("client-1")));

  ASSERT_TRUE(Client::Join(OptionsWith(authority_.Issue("client-2"), "client-2"), ShapeOf(kModules)).ok());
  const ClientOptions options = OptionsWith(identity, "client-2");
  const auto connection = Connect(options);
  const UpdateBytes update = MakeUpdateBytes(1, kModules, 2, 2, DType::kF32);
  const v1::PushHeader header = HeaderFor(options, 1, update);
  EXPECT_EQ(PushWhole(*connection, header, update.safetensors).status().code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(ResumePoint(*connection, header).status().code(), absl::StatusCode::kPermissionDenied);
  grpc::ClientContext context;
  v1::LeaveRequest leave;
  leave.set_federation("f");
  leave.set_client("client-2");
  v1::LeaveReply reply;
  EXPECT_EQ(connection->stub->Leave(&context, leave, &reply).error_code(), grpc::StatusCode::PERMISSION_DENIED);
}

// What `cairn serve` says about a configuration it does not start with.
std::string Refusal(const TestDirectory& directory, const std::string& config) {
  EXPECT_TRUE(WriteFileAtomically(directory / "bad.yaml", config).ok());
  const auto outcome = RunCommand({BuiltProgram("cairn"), "serve", "--config", (directory / "bad.yaml").string()});
  EXPECT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_EQ(outcome->exit_code, 1);
  return outcome->output;
}

TEST_F(TlsTest, PlaintextBeyondLoopbackIsRefusedAtTheStart) {
  const std::string rest = absl::StrCat("metrics_listen: \"off\"\ndata_dir: ", (directory_ / "data").string(),
                                        "\nfederations: [{name: f}]\n");
  EXPECT_THAT(Refusal(directory_, "listen: 0.0.0.0:0\n" + rest),
              AllOf(HasSubstr("listen"), HasSubstr("without TLS"), HasSubstr("insecure_plaintext: true")));
  EXPECT_FALSE(std::filesystem::exists(directory_ / "data"));
}

TEST_F(TlsTest, MissingFilesAreNamedAtTheStart) {
  const std::string rest =
      absl::StrCat("listen: 127.0.0.1:0\nmetrics_listen: \"off\"\ndata_dir: ", (directory_ / "data").string(),
                   "\nfederations: [{name: f}]\n");
  EXPECT_THAT(Refusal(directory_, rest + "tls: {certificate: /nowhere/c.pem, key: /nowhere/k.pem}\n"),
              HasSubstr("/nowhere/"));
  EXPECT_THAT(Refusal(directory_, rest + "tls: {certificate: " + authority_.certificate().string() + "}\n"),
              HasSubstr("key"));
}

}  // namespace
}  // namespace cairn::testing
