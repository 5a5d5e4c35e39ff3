// Gateways that are started on the wrong data directory, or for the wrong root: nothing that was acknowledged is lost.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "base/limits.h"
#include "tests/integration/nodes_fixture.h"
#include "tests/integration/remote.h"

namespace cairn::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr char kOneRound[] = "  - {name: f, combine: stack, rounds: 1, clients: {min: 3}}\n";

class NodeDirectoriesTest : public NodesFixture {
 protected:
  std::unique_ptr<ServerProcess> Root(const std::string& directory, const std::string& node_listen) {
    return std::make_unique<ServerProcess>(directory_ / directory,
                                           absl::StrCat("node_listen: ", node_listen, "\nfederations:\n", federation_),
                                           std::vector<std::string>{"serve", "--role", "root"});
  }
  static Outcome Cairn(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), BuiltProgram("cairn"));
    const auto outcome = RunCommand(std::move(arguments));
    EXPECT_TRUE(outcome.ok()) << outcome.status();
    return outcome.value_or(Outcome{-1, ""});
  }
  // What a gateway says to a client that wants to send bob's update.
  static absl::Status Ask(const ServerProcess& gateway) {
    const ClientOptions options = FastOptions(gateway.address(), "f", "bob");
    return ResumePoint(*Connect(options), HeaderFor(options, 1, UpdateOf(kMixed, 1, 1).bytes())).status();
  }
};

TEST_F(NodeDirectoriesTest, AnotherRootDoesNotEndTheUpdatesOfADirectory) {
  ServeNodes(kOneRound);
  ASSERT_TRUE(Push("bob").ok());
  n2_->Kill();
  const std::string elsewhere = absl::StrCat("127.0.0.1:", FreePort());
  const auto other = Root("other", elsewhere);
  ASSERT_TRUE(other->Start().ok());
  n2_->set_arguments({"--root", elsewhere});
  ASSERT_TRUE(n2_->Start().ok());
  EXPECT_THAT(AwaitReadiness(*n2_, "belongs"),
              AllOf(HasSubstr("503"), HasSubstr(absl::StrCat("data_dir ", n2_->data_dir().string())),
                    HasSubstr(absl::StrCat("the root at ", elsewhere, " is "))));
  const absl::Status refused = Ask(*n2_);
  EXPECT_EQ(refused.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("belongs to the nodes of root"));
  EXPECT_EQ(Objects(*n2_), 1);

  n2_->set_arguments({});
  ASSERT_TRUE(n2_->Restart().ok());
  ASSERT_TRUE(Push("ada").ok());
  ASSERT_TRUE(Push("cyd").ok());
  const auto published = AwaitVersion(1);
  ASSERT_TRUE(published.ok()) << published.status();
  EXPECT_EQ(BytesOf(root_->latest("f")), BytesOfOneServer(1));
}

TEST_F(NodeDirectoriesTest, ARootWithoutItsDatabaseIsAnother) {
  ServeNodes(kOneRound);
  ASSERT_TRUE(Push("bob").ok());
  root_->Kill();
  fs::rename(root_->data_dir(), directory_ / "kept");
  ASSERT_TRUE(root_->Start().ok());
  EXPECT_THAT(AwaitReadiness(*n2_, "belongs"), HasSubstr("belongs to the nodes of root"));
  EXPECT_EQ(Objects(*n2_), 1);
  root_->Kill();
  fs::remove_all(root_->data_dir());
  fs::rename(directory_ / "kept", root_->data_dir());
  ASSERT_TRUE(root_->Start().ok());
  EXPECT_THAT(AwaitReadiness(*n2_, "200"), HasSubstr("200"));
  AwaitRootAtNodes();
  ASSERT_TRUE(Push("ada").ok());
  ASSERT_TRUE(Push("cyd").ok());
  const auto published = AwaitVersion(1);
  ASSERT_TRUE(published.ok()) << published.status();
  EXPECT_EQ(published->version(), 1u);
}

TEST_F(NodeDirectoriesTest, AGatewayDoesNotTakeTheDirectoryOfAServer) {
  Serve(absl::StrCat("  - {name: f, rounds: 1, clients: {min: 3}}\n"));
  JoinAll("f", kMixed);
  const InMemoryUpdate update = UpdateOf(kMixed, 0, 1);
  ASSERT_TRUE(PushOne(*clients_[0], update.bytes(), 1, 100).ok());
  server_->Kill();
  const Outcome refused = Cairn({"gateway", "--root", absl::StrCat("127.0.0.1:", FreePort()), "--data-dir",
                                 server_->data_dir().string(), "--listen", "127.0.0.1:0"});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.output, AllOf(HasSubstr("is that of `cairn serve`"), HasSubstr(server_->data_dir().string())));
  EXPECT_FALSE(fs::exists(server_->data_dir() / "node"));
  ASSERT_TRUE(server_->Start().ok());
  EXPECT_EQ(StatusOf(server_->address(), "f")->clients(0).state(), v1::ClientProgress::STATE_CONTRIBUTED);
}

TEST_F(NodeDirectoriesTest, AServerDoesNotTakeTheDirectoryOfAGateway) {
  ServeNodes(kOneRound);
  ASSERT_TRUE(Push("bob").ok());
  n2_->Kill();
  const fs::path config = directory_ / "wrong.yaml";
  ASSERT_TRUE(WriteFileAtomically(config, absl::StrCat("listen: 127.0.0.1:0\ndata_dir: ", n2_->data_dir().string(),
                                                       "\nfederations:\n", kOneRound))
                  .ok());
  for (const char* role : {"all", "root"}) {
    const Outcome refused = Cairn({"serve", "--role", role, "--config", config.string()});
    EXPECT_EQ(refused.exit_code, 1);
    EXPECT_THAT(refused.output, HasSubstr("is that of a `cairn gateway`"));
  }
  EXPECT_EQ(Objects(*n2_), 1);
  ASSERT_TRUE(n2_->Start().ok());
  ASSERT_TRUE(Push("ada").ok());
  ASSERT_TRUE(Push("cyd").ok());
  EXPECT_TRUE(AwaitVersion(1).ok());
}

TEST_F(NodeDirectoriesTest, ANewDirectoryDoesNotGetTheNameOfOneWithUpdates) {
  ServeNodes(kOneRound);
  ASSERT_TRUE(Push("bob").ok());
  n2_->Kill();
  fs::rename(n2_->data_dir(), directory_ / "kept");
  ASSERT_TRUE(n2_->Start().ok());
  const std::string why = "node \"n2\" has 1 acknowledged update in another data directory";
  EXPECT_THAT(AwaitReadiness(*n2_, "acknowledged"), HasSubstr(why));
  const absl::Status refused = Ask(*n2_);
  EXPECT_EQ(refused.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(refused.message()), HasSubstr(why));
  n2_->Kill();
  fs::remove_all(n2_->data_dir());
  fs::rename(directory_ / "kept", n2_->data_dir());
  ASSERT_TRUE(n2_->Start().ok());
  ASSERT_TRUE(Push("ada").ok());
  ASSERT_TRUE(Push("cyd").ok());
  const auto published = AwaitVersion(1);
  ASSERT_TRUE(published.ok()) << published.status();
  EXPECT_EQ(BytesOf(root_->latest("f")), BytesOfOneServer(1));
}

TEST_F(NodeDirectoriesTest, ACopyOfADirectoryDoesNotAttendBesideIt) {
  ServeNodes(kOneRound);
  ASSERT_TRUE(Push("bob").ok());
  ServerProcess copy(directory_ / "copy", "", {"gateway"}, "127.0.0.3");
  fs::copy(n2_->data_dir(), copy.data_dir(), fs::copy_options::recursive);
  const auto root = ReadFile(root_->data_dir() / "node_endpoint", limits::kKiB);
  ASSERT_TRUE(root.ok()) << root.status();
  copy.set_arguments({"--node", "n2", "--root", std::string(absl::StripAsciiWhitespace(*root))});
  ASSERT_TRUE(copy.Start().ok());
  EXPECT_THAT(AwaitReadiness(copy, "another process"), HasSubstr("this data directory or a copy of it"));
  EXPECT_EQ(Ask(copy).code(), absl::StatusCode::kUnavailable);
  ASSERT_TRUE(Push("ada").ok());
  ASSERT_TRUE(Push("cyd").ok());
  const auto published = AwaitVersion(1);
  ASSERT_TRUE(published.ok()) << published.status();
  EXPECT_EQ(BytesOf(root_->latest("f")), BytesOfOneServer(1));
  // The original's end is soon known: then it may.
  n2_->Kill();
  EXPECT_THAT(AwaitReadiness(copy, "200"), HasSubstr("200"));
}

TEST_F(NodeDirectoriesTest, ClientsOfAGatewayWhoseMemoryIsGoneAreAskedAgain) {
  ServeNodes(kOneRound, "", "durability: memory\n");
  ASSERT_TRUE(Push("bob").ok());
  ASSERT_TRUE(n2_->Restart().ok());
  const auto asked =
      Await([](const v1::RoundInfo& info) { return info.clients(1).state() == v1::ClientProgress::STATE_JOINED; });
  ASSERT_TRUE(asked.ok()) << asked.status();
  EXPECT_EQ(asked->clients(1).state(), v1::ClientProgress::STATE_JOINED);
  EXPECT_EQ(asked->phase(), v1::ROUND_PHASE_OPEN);
  EXPECT_THAT(*HttpGet(root_->metrics_address(), "/metrics"), HasSubstr("reason=\"node_lost\"} 1"));
  for (const char* name : {"bob", "ada", "cyd"}) ASSERT_TRUE(Push(name).ok()) << name;
  const auto published = AwaitVersion(1);
  ASSERT_TRUE(published.ok()) << published.status();
  EXPECT_EQ(BytesOf(root_->latest("f")), BytesOfOneServer(1));
}

TEST_F(NodeDirectoriesTest, AStartThatFailsBindsTheDirectoryToNothing) {
  federation_ = kOneRound;
  const std::string node_listen = absl::StrCat("127.0.0.1:", FreePort());
  root_ = Root("root", node_listen);
  ASSERT_TRUE(root_->Start().ok());
  const std::string data_dir = (directory_ / "n1" / "data").string();
  const Outcome busy = Cairn({"gateway", "--root", node_listen, "--data-dir", data_dir, "--listen", node_listen});
  EXPECT_EQ(busy.exit_code, 1) << busy.output;
  const Outcome wrong =
      Cairn({"gateway", "--root", node_listen, "--data-dir", data_dir, "--listen", "127.0.0.1:0", "--node", "n 1"});
  EXPECT_EQ(wrong.exit_code, 1) << wrong.output;
  n1_ = Gateway("n1", "127.0.0.1", node_listen);
  ASSERT_TRUE(n1_->Start().ok());
  EXPECT_THAT(AwaitReadiness(*n1_, "200"), HasSubstr("200"));
}

}  // namespace
}  // namespace cairn::testing
