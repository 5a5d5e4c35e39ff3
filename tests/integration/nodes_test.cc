// One root and two gateways, each a process with a data directory of its own, and clients on both.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "base/limits.h"
#include "tests/integration/certificates.h"
#include "tests/integration/nodes_fixture.h"
#include "tests/integration/remote.h"
#include "tests/integration/worker_pids.h"

namespace cairn::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

class NodesTest : public NodesFixture {};

TEST_F(NodesTest, PublishTheBytesThatASingleServerPublishes) {
  ServeNodes("  - {name: f, combine: stack, rounds: 2, clients: {min: 3}}\n");
  for (std::uint64_t round = 1; round <= 2; ++round) {
    ASSERT_TRUE(Push("ada", round).ok());
    ASSERT_TRUE(Push("bob", round).ok());
    if (round == 1) {
      EXPECT_EQ(Objects(*n2_), 1);  // Updates stay where they arrived ...
      EXPECT_EQ(Objects(*root_), 0);
    }
    ASSERT_TRUE(Push("cyd", round).ok());
    ASSERT_TRUE(AwaitVersion(round).ok());
  }
  const std::string published = BytesOf(root_->latest("f"));
  EXPECT_EQ(published, BytesOfOneServer(2));
  for (const char* name : {"ada", "bob"}) {
    const auto pulled = of_[name]->Pull(2, Form::kAdapter, directory_ / name);
    ASSERT_TRUE(pulled.ok()) << pulled.status();
    EXPECT_EQ(BytesOf(directory_ / name), published);
  }
  for (const ServerProcess* process : {root_.get(), n1_.get(), n2_.get()}) AwaitNoObjects(*process);  // ... until then.
}

TEST_F(NodesTest, AKilledGatewayHasWhatItAcknowledged) {
  ServeNodes("  - {name: f, combine: stack, rounds: 1, clients: {min: 3}}\n");
  ASSERT_TRUE(Push("bob").ok());
  const auto identity = ReadFile(n2_->data_dir() / "node", limits::kMiB);
  ASSERT_TRUE(identity.ok()) << identity.status();
  n2_->Kill();
  ASSERT_TRUE(Push("ada").ok());
  ASSERT_TRUE(Push("cyd").ok());
  const auto held = Await([](const v1::RoundInfo& info) { return info.phase() == v1::ROUND_PHASE_AGGREGATING; });
  ASSERT_TRUE(held.ok()) << held.status();
  EXPECT_THAT(held->waiting_for(), HasSubstr("waiting for node n2 with 1 update"));
  ASSERT_TRUE(n2_->Start().ok());
  EXPECT_EQ(ReadFile(n2_->data_dir() / "node", limits::kMiB).value_or(""), *identity) << "it is the same node";
  const auto published = AwaitVersion(1);
  ASSERT_TRUE(published.ok()) << published.status();
  EXPECT_EQ(published->version(), 1u);
  EXPECT_EQ(BytesOf(root_->latest("f")), BytesOfOneServer(1));
  AwaitNoObjects(*n2_);
}

TEST_F(NodesTest, AKilledRootGoesOnWithTheReceiptsOfItsNodes) {
  ServeNodes("  - {name: f, combine: stack, rounds: 1, clients: {min: 3}}\n");
  ASSERT_TRUE(Push("ada").ok());
  ASSERT_TRUE(Push("bob").ok());
  const auto round = of_["cyd"]->AwaitRound(absl::Seconds(20));
  ASSERT_TRUE(round.ok()) << round.status();
  root_->Kill();
  absl::Status late;
  std::thread cyd([&] {  // Retries until the root is back.
    const UpdateBytes update = UpdateOf(kMixed, 2, 1).bytes();
    late = of_["cyd"]->PushBytes(*round, update.config_json, update.safetensors, kMixed[2].examples).status();
  });
  const absl::Status started = root_->Start();
  cyd.join();
  ASSERT_TRUE(started.ok()) << started;
  ASSERT_TRUE(late.ok()) << late;
  const auto published = AwaitVersion(1);
  ASSERT_TRUE(published.ok()) << published.status();
  EXPECT_EQ(published->version(), 1u);
  EXPECT_EQ(BytesOf(root_->latest("f")), BytesOfOneServer(1));
}

TEST_F(NodesTest, ClientsOfADeadGatewayAreAskedAgainByAnother) {
  ServeNodes(
      "  - {name: f, combine: stack, rounds: 1, clients: {min: 3}, on_node_loss: ask_again, node_timeout: 1s}\n");
  ASSERT_TRUE(Push("bob").ok());
  n2_->Kill();
  ASSERT_TRUE(Push("ada").ok());
  ASSERT_TRUE(Push("cyd").ok());
  const auto asked = Await([](const v1::RoundInfo& info) {
    return info.phase() == v1::ROUND_PHASE_OPEN && info.clients(1).state() == v1::ClientProgress::STATE_JOINED;
  });
  ASSERT_TRUE(asked.ok()) << asked.status();
  ASSERT_TRUE(Join("bob", *n1_).ok());
  const absl::Status pushed = Push("bob");
  ASSERT_TRUE(pushed.ok()) << pushed;
  const auto published = AwaitVersion(1);
  ASSERT_TRUE(published.ok()) << published.status();
  EXPECT_EQ(BytesOf(root_->latest("f")), BytesOfOneServer(1));
  // What it still has is of no use when it comes back.
  ASSERT_TRUE(n2_->Start().ok());
  AwaitNoObjects(*n2_);
}

TEST_F(NodesTest, ARoundGoesOnWithoutADeadGatewayAndSaysSo) {
  ServeNodes(
      "  - {name: f, combine: stack, rounds: 1, clients: {min: 2, target: 3}, on_node_loss: go_on, node_timeout: "
      "1s}\n");
  ASSERT_TRUE(Push("bob").ok());
  ASSERT_TRUE(Push("ada").ok());
  n2_->Kill();
  ASSERT_TRUE(Push("cyd").ok());
  const auto published = AwaitVersion(1);
  ASSERT_TRUE(published.ok()) << published.status();
  ASSERT_EQ(published->outcomes_size(), 3);
  EXPECT_TRUE(published->outcomes(0).accepted());
  EXPECT_FALSE(published->outcomes(1).accepted());
  EXPECT_EQ(published->outcomes(1).reason(), "not counted: node n2 was lost");
}

std::string RootTls(const Authority& authority, const Identity& identity) {
  return absl::StrCat("root_tls:\n  ca: ", authority.certificate().string(),
                      "\n  certificate: ", identity.certificate.string(), "\n  key: ", identity.key.string(), "\n");
}

// It asks what it is to keep, on a thread that never comes back.
TEST_F(NodesTest, AGatewayInWhichSomethingHangsEndsOnASecondSignal) {
  StartNodes("  - {name: f, combine: stack, rounds: 1, clients: {min: 3}}\n");
  n2_->Kill();
  n2_->set_environment({"CAIRN_FAILPOINTS=node.before_keep=hang"});
  ASSERT_TRUE(n2_->Start().ok());
  AwaitAttended(*n2_);
  for (int i = 0; i < 2; ++i) n2_->child().Send(SIGTERM);  // At once, as timeout does: that is one.
  ASSERT_TRUE(Eventually([this] { return absl::StrContains(n2_->Log(), "stopping on SIGTERM"); })) << n2_->Log();
  std::this_thread::sleep_for(std::chrono::milliseconds(2100));
  EXPECT_THAT(n2_->Log(), Not(HasSubstr("told to stop once more")));
  const auto ended = n2_->Terminate();
  ASSERT_TRUE(ended.ok()) << ended.status();
  EXPECT_EQ(*ended, 128 + SIGTERM);
  EXPECT_THAT(n2_->Log(), HasSubstr("told to stop once more, and ends at once"));
  n2_->set_environment({});
  EXPECT_TRUE(n2_->Start().ok());
}

TEST_F(NodesTest, UnderTlsOnlyNodesGetToTheRootAndEachAsItself) {
  const Authority nodes(directory_.path(), "nodes"), clients(directory_.path(), "clients");
  const Identity root = nodes.Issue("root", "IP:127.0.0.1");
  const std::string node_listen = absl::StrCat("127.0.0.1:", FreePort());
  root_ = std::make_unique<ServerProcess>(
      directory_ / "root",
      absl::StrCat("node_listen: ", node_listen, "\nnode_tls:\n  certificate: ", root.certificate.string(),
                   "\n  key: ", root.key.string(), "\n  client_ca: ", nodes.certificate().string(),
                   "\nfederations:\n  - {name: f, rounds: 1, clients: {min: 1}}\n"),
      std::vector<std::string>{"serve", "--role", "root"});
  ASSERT_TRUE(root_->Start().ok());

  const Identity n1 = nodes.Issue("n1");
  n1_ = Gateway("n1", "127.0.0.1", node_listen, RootTls(nodes, n1));
  ASSERT_TRUE(n1_->Start().ok());
  EXPECT_THAT(AwaitReadiness(*n1_, "200"), HasSubstr("200"));
  // Another node with its certificate.
  n2_ = Gateway("n2", "127.0.0.2", node_listen, RootTls(nodes, n1));
  ASSERT_TRUE(n2_->Start().ok());
  EXPECT_THAT(AwaitReadiness(*n2_, "certificate"), HasSubstr("\"n2\" is not a name of the certificate"));

  ASSERT_TRUE(Join("ada", *n1_).ok());
  ASSERT_TRUE(Push("ada").ok());
  const auto published = AwaitVersion(1);
  ASSERT_TRUE(published.ok()) << published.status();
  EXPECT_EQ(published->version(), 1u);

  // Clients, whether they have a certificate of theirs or none.
  ClientOptions options = FastOptions(node_listen, "f", "bob");
  options.retry.give_up_after = absl::Milliseconds(400);
  options.tls.root_ca = nodes.certificate();
  EXPECT_EQ(Client::Join(options).status().code(), absl::StatusCode::kUnavailable);
  const Identity bob = clients.Issue("bob");
  options.tls.certificate = bob.certificate;
  options.tls.key = bob.key;
  EXPECT_EQ(Client::Join(options).status().code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace cairn::testing
