// Clients that know one gateway, and are sent to the one that the planner chose for them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/integration/nodes_fixture.h"
#include "tests/integration/remote.h"
#include "tests/integration/worker_pids.h"

namespace cairn::testing {
namespace {

constexpr char kTwoRounds[] = "  - {name: f, combine: stack, rounds: 2, clients: {min: 3}}\n";

class PlacementTest : public NodesFixture {
 protected:
  // Of n1 and n2. All parties know n1 alone.
  void ServeZones(const std::string& n1, const std::string& n2) {
    StartNodes(kTwoRounds, n1, n2);
    AwaitAttended(*n1_);
    AwaitAttended(*n2_);
    const std::vector<std::string> zones = {"west", "east", "west"};
    for (std::size_t i = 0; i < zones.size(); ++i) {
      const absl::Status joined = Join((*parties_)[i].name, *n1_, zones[i]);
      ASSERT_TRUE(joined.ok()) << joined;
    }
  }
  double Placed(const std::string& node) {
    return MetricValue(root_->metrics_address(), absl::StrCat("cairn_node_clients{node=\"", node, "\"}"));
  }
  void ExpectPush(const std::string& name, std::uint64_t round) {
    const absl::Status pushed = Push(name, round);
    ASSERT_TRUE(pushed.ok()) << pushed;
  }
  void ExpectBytesOfOneServer() {
    const auto published = AwaitVersion(2);
    ASSERT_TRUE(published.ok()) << published.status();
    EXPECT_EQ(published->version(), 2u);
    EXPECT_EQ(BytesOf(root_->latest("f")), BytesOfOneServer(2));
  }
};

TEST_F(PlacementTest, UpdatesGoToTheGatewayOfTheirZoneAndWithoutItToAnother) {
  ASSERT_NO_FATAL_FAILURE(ServeZones("zone: east\n", "zone: west\n"));
  ExpectPush("ada", 1);
  EXPECT_EQ(Objects(*n2_), 1);
  ExpectPush("bob", 1);
  EXPECT_EQ(Objects(*n1_), 1);
  EXPECT_EQ(Objects(*n2_), 1);
  EXPECT_EQ(Placed("n1"), 1);
  ExpectPush("cyd", 1);
  ASSERT_TRUE(AwaitVersion(1).ok());
  EXPECT_EQ(Placed("n2"), 2);

  n2_->Kill();
  EXPECT_TRUE(Eventually([this] { return absl::StrContains(root_->Log(), "node n2 is away"); }));
  for (const char* name : {"ada", "bob", "cyd"}) ExpectPush(name, 2);
  EXPECT_EQ(Placed("n1"), 3);
  EXPECT_EQ(Placed("n2"), 0);
  EXPECT_TRUE(absl::StrContains(root_->Log(), "placement: 2 of 3 clients moved to other nodes")) << root_->Log();
  ExpectBytesOfOneServer();
}

TEST_F(PlacementTest, AGatewayThatClientsCannotReachIsPassedOver) {
  // Nobody listens there.
  ASSERT_NO_FATAL_FAILURE(ServeZones("zone: east\n", "zone: west\nclient_address: 127.0.0.1:1\n"));
  for (std::uint64_t round = 1; round <= 2; ++round) {
    for (const char* name : {"ada", "bob"}) ExpectPush(name, round);
    EXPECT_EQ(Objects(*n1_), 2);
    ExpectPush("cyd", round);
    ASSERT_TRUE(AwaitVersion(round).ok());
    if (round == 1) AwaitNoObjects(*n1_);
  }
  EXPECT_EQ(Placed("n2"), 2);
  ExpectBytesOfOneServer();
}

TEST_F(PlacementTest, AServerThatIsRootAndGatewayTakesPart) {
  federation_ = kTwoRounds;
  const std::string node_listen = absl::StrCat("127.0.0.1:", FreePort());
  root_ = std::make_unique<ServerProcess>(
      directory_ / "root", absl::StrCat("node_listen: ", node_listen, "\nzone: east\nfederations:\n", federation_));
  n1_ = Gateway("n1", "127.0.0.2", node_listen, "zone: west\n");
  for (ServerProcess* process : {root_.get(), n1_.get()}) ASSERT_TRUE(process->Start().ok());
  AwaitAttended(*n1_);
  ASSERT_TRUE(Join("ada", *n1_, "east").ok());
  ASSERT_TRUE(Join("bob", *root_, "west").ok());
  ASSERT_TRUE(Join("cyd", *root_, "east").ok());
  ExpectPush("ada", 1);
  EXPECT_EQ(Objects(*root_), 1);
  EXPECT_EQ(Objects(*n1_), 0);
  ExpectPush("bob", 1);
  EXPECT_EQ(Objects(*n1_), 1);
  EXPECT_EQ(Placed("(root)"), 1);
}

}  // namespace
}  // namespace cairn::testing
