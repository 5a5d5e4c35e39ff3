// Rounds whose rule needs all clients at once, over a root and two gateways that read of each other: each node combines
// some of the modules, whatever becomes of processes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/integration/nodes_fixture.h"
#include "tests/integration/remote.h"
#include "tests/integration/worker_pids.h"

namespace cairn::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

const std::vector<Party> kSix = {{"ada", 4, 8, 100}, {"bob", 4, 8, 60}, {"cyd", 4, 8, 40},
                                 {"dan", 4, 8, 7},   {"eve", 4, 8, 1},  {"fay", 4, 8, 33}};
constexpr char kPeer[] = "peer_listen: 127.0.0.1:0\n";

class NodeShardsTest : public NodesFixture {
 protected:
  NodeShardsTest() { parties_ = &kSix; }
  static std::string Federation(const std::string& method, int rounds) {
    return absl::StrCat("  - {name: f, combine: ", method, ", rounds: ", rounds, ", clients: {min: ", kSix.size(),
                        "}}\n");
  }
  // The last one closes the round.
  void PushAll(std::uint64_t round) {
    for (const Party& party : kSix) {
      const absl::Status pushed = Push(party.name, round);
      ASSERT_TRUE(pushed.ok()) << pushed;
    }
  }
  void RunRounds(std::uint64_t rounds) {
    for (std::uint64_t round = 1; round <= rounds; ++round) {
      PushAll(round);
      const auto published = AwaitVersion(round);
      ASSERT_TRUE(published.ok()) << published.status();
      ASSERT_EQ(published->version(), round) << root_->Log();
      EXPECT_EQ(published->outcomes_size(), static_cast<int>(kSix.size()));
    }
  }
  void ExpectCombinedByNodes() const {
    EXPECT_THAT(root_->Log(), HasSubstr("version 1: combined by 2 nodes"));
    EXPECT_THAT(root_->Log(), Not(HasSubstr("are fetched")));
  }
  void ExpectNoUpdateMoved(int rounds) const {
    EXPECT_EQ(Brought("update"), 0);
    EXPECT_GT(Brought("shard"), 0);
    EXPECT_FALSE(fs::exists(root_->data_dir() / "objects" / "f"));
    EXPECT_THAT(root_->Log(), Not(HasSubstr("are fetched")));
    EXPECT_THAT(root_->Log(), HasSubstr(absl::StrCat("version ", rounds, ": combined by 2 nodes")));
  }
  // What was read of other nodes, and what was made, is gone.
  static void ExpectNothingLeft(const ServerProcess& gateway) {
    EXPECT_TRUE(Eventually([&] {
      std::error_code error;
      return fs::directory_iterator(gateway.data_dir() / "shards", error) == fs::directory_iterator();
    })) << gateway.data_dir();
  }
};

struct Case {
  std::string method, n1, n2;
};

class NodeShardsOfTest : public NodeShardsTest, public ::testing::WithParamInterface<Case> {};

TEST_P(NodeShardsOfTest, PublishTheBytesOfASingleServer) {
  ServeNodes(Federation(GetParam().method, 2), kPeer + GetParam().n1, kPeer + GetParam().n2);
  RunRounds(2);
  ExpectNoUpdateMoved(2);
  ExpectNothingLeft(*n1_);
  ExpectNothingLeft(*n2_);
  EXPECT_EQ(BytesOf(root_->latest("f")), BytesOfOneServer(2));
}
INSTANTIATE_TEST_SUITE_P(, NodeShardsOfTest,
                         ::testing::Values(Case{"stack, rule: \"multi_krum:f=1\", guards: [nnm]", "", ""},
                                           Case{"stack, rule: flag, guards: [\"arc:f=1\"]", "workers: 2\n",
                                                "workers: 3\n"},
                                           Case{"svd, rule: \"trimmed_mean:f=2\"", "workers: 2\n", ""},
                                           Case{"stack, rule: \"centered_clipping:tau=100\"",
                                                "workers: 2\ndurability: memory\n", "durability: memory\n"},
                                           Case{"residual", "workers: 1\n", "workers: 2\n"}),
                         [](const auto& each) { return absl::StrCat("Case", each.index); });

// Its memory of clients lies with the root.
TEST_F(NodeShardsTest, ARuleThatRemembersClientsHasUpdatesFetched) {
  ServeNodes(Federation("stack, rule: foolsgold", 2), kPeer, kPeer);
  RunRounds(2);
  EXPECT_GT(Brought("update"), 0);
  EXPECT_EQ(Brought("shard"), 0);
  EXPECT_EQ(BytesOf(root_->latest("f")), BytesOfOneServer(2));
}

TEST_F(NodeShardsTest, ANodeThatCannotBeReadHasItsUpdatesFetched) {
  ServeNodes(Federation("stack, rule: median", 1), kPeer, "");
  RunRounds(1);
  EXPECT_GT(Brought("update"), 0);
  EXPECT_EQ(Brought("shard"), 0);
  EXPECT_THAT(root_->Log(), HasSubstr("node n2 has updates that no other node can read"));
  EXPECT_EQ(BytesOf(root_->latest("f")), BytesOfOneServer(1));
}

TEST_F(NodeShardsTest, WhereNobodyAnswersUpdatesAreFetched) {
  ServeNodes(Federation("stack, rule: median", 1), kPeer, absl::StrCat(kPeer, "peer_address: 127.0.0.1:1\n"));
  RunRounds(1);
  EXPECT_GT(Brought("update"), 0);
  EXPECT_THAT(root_->Log(), ContainsRegex("nodes did not combine it: (node n2: )?node n1 gave up"));
  EXPECT_EQ(BytesOf(root_->latest("f")), BytesOfOneServer(1));
}

// Each time one process dies at the point, of those that have it; who restarts processes comes a little later.
class NodeShardsDieTest : public NodeShardsTest, public ::testing::WithParamInterface<std::string> {};

TEST_P(NodeShardsDieTest, AndTheSameBytesArePublished) {
  const std::string method = "svd, rule: \"multi_krum:f=1\", guards: [nnm]";
  ServeNodes(Federation(method, 1), absl::StrCat(kPeer, "workers: 2\n"), kPeer);
  const std::vector<std::string> armed = {absl::StrCat("CAIRN_FAILPOINTS=", GetParam(), "=kill"),
                                          absl::StrCat("CAIRN_FAILPOINTS_ONCE=", (directory_ / "once").native())};
  fs::create_directories(directory_ / "once");
  n1_->set_environment(armed);
  n2_->set_environment(armed);
  ASSERT_TRUE(n1_->Restart().ok() && n2_->Restart().ok());
  PushAll(1);
  EXPECT_TRUE(Eventually([&] { return fs::exists(directory_ / "once" / GetParam()); }));
  for (ServerProcess* gateway : {n1_.get(), n2_.get()}) {
    absl::SleepFor(absl::Milliseconds(200));
    if (gateway->child().ExitCode()) {
      ASSERT_TRUE(gateway->Start().ok());
    }
  }
  const auto published = AwaitVersion(1);
  ASSERT_TRUE(published.ok()) << published.status();
  ASSERT_EQ(published->version(), 1u) << root_->Log();
  ExpectCombinedByNodes();
  ExpectNothingLeft(*n1_);
  ExpectNothingLeft(*n2_);
  EXPECT_EQ(BytesOf(root_->latest("f")), BytesOfOneServer(1));
}
INSTANTIATE_TEST_SUITE_P(, NodeShardsDieTest,
                         ::testing::Values("node.before_combine", "node.before_reduce", "node.after_combine"),
                         [](const auto& each) { return each.param.substr(5); });

TEST_F(NodeShardsTest, AKilledRootCombinesTheRoundAgain) {
  ServeNodes(Federation("stack, rule: \"multi_krum:f=1\"", 1), absl::StrCat(kPeer, "workers: 2\n"), kPeer);
  fs::create_directories(directory_ / "once");
  root_->set_environment({"CAIRN_FAILPOINTS=publish.before_rename=kill",
                          absl::StrCat("CAIRN_FAILPOINTS_ONCE=", (directory_ / "once").native())});
  ASSERT_TRUE(root_->Restart().ok());
  PushAll(1);
  EXPECT_TRUE(Eventually([&] { return fs::exists(directory_ / "once" / "publish.before_rename"); }));
  ASSERT_TRUE(root_->Start().ok());
  AwaitRootAtNodes();
  const auto published = AwaitVersion(1);
  ASSERT_TRUE(published.ok()) << published.status();
  ASSERT_EQ(published->version(), 1u) << root_->Log();
  EXPECT_EQ(BytesOf(root_->latest("f")), BytesOfOneServer(1));
}

// What a node still does for a root that died must not be taken for what the next one asks of it.
TEST_F(NodeShardsTest, ARootThatDiesWhileNodesCombineBeginsAgain) {
  ServeNodes(Federation("stack, rule: \"multi_krum:f=1\"", 1), kPeer, kPeer);
  n2_->set_environment({"CAIRN_FAILPOINTS=node.before_reduce=sleep:1500@1"});
  ASSERT_TRUE(n2_->Restart().ok());
  PushAll(1);
  EXPECT_TRUE(Eventually([&] { return fs::exists(n2_->data_dir() / "shards" / "1"); }));
  ASSERT_TRUE(root_->Restart().ok());
  AwaitRootAtNodes();
  const auto published = AwaitVersion(1);
  ASSERT_TRUE(published.ok()) << published.status();
  ASSERT_EQ(published->version(), 1u) << root_->Log();
  ExpectCombinedByNodes();
  EXPECT_EQ(BytesOf(root_->latest("f")), BytesOfOneServer(1));
}

// As it would without any; the other node has workers, and its own ways.
TEST_F(NodeShardsTest, AGatewayWhoseWorkersAreAllGoneCombinesItself) {
  ServeNodes(Federation("svd, rule: \"multi_krum:f=1\", guards: [nnm]", 1),
             absl::StrCat(kPeer, "workers: 2\nworkers_by_hand: true\nworker_lease: 500ms\n"),
             absl::StrCat(kPeer, "workers: 2\n"));
  RunRounds(1);
  ExpectNoUpdateMoved(1);
  EXPECT_THAT(n1_->Log(), HasSubstr("no worker is there: the gateway combines its modules itself"));
  EXPECT_THAT(n2_->Log(), Not(HasSubstr("itself")));
  EXPECT_THAT(root_->Log(), Not(HasSubstr("did not combine it")));
  ExpectNothingLeft(*n1_);
  EXPECT_EQ(BytesOf(root_->latest("f")), BytesOfOneServer(1));
}

// Another worker takes its place, and the nodes begin again.
TEST_F(NodeShardsTest, AKilledWorkerCostsAnAttempt) {
  ServeNodes(Federation("svd, rule: \"multi_krum:f=1\"", 1), absl::StrCat(kPeer, "workers: 2\n"), kPeer);
  for (std::size_t i = 0; i + 1 < kSix.size(); ++i) ASSERT_TRUE(Push(kSix[i].name).ok());
  EXPECT_TRUE(Eventually([&] { return WorkersOf(n1_->child().pid()).size() == 2; }));
  const std::set<pid_t> workers = WorkersOf(n1_->child().pid());
  for (const pid_t worker : workers) kill(worker, SIGSTOP);
  ASSERT_TRUE(Push(kSix.back().name).ok());
  EXPECT_TRUE(Eventually([&] { return Brought("shard") > 0 || fs::exists(n1_->data_dir() / "shards" / "1"); }));
  for (const pid_t worker : workers) kill(worker, SIGKILL);
  const auto published = AwaitVersion(1);
  ASSERT_TRUE(published.ok()) << published.status();
  ASSERT_EQ(published->version(), 1u) << root_->Log();
  ExpectCombinedByNodes();
  EXPECT_EQ(BytesOf(root_->latest("f")), BytesOfOneServer(1));
}

}  // namespace
}  // namespace cairn::testing
