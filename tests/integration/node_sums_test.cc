// Rounds that sum up, over a root and two gateways: each node adds up its own updates, whatever becomes of processes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/integration/nodes_fixture.h"
#include "tests/integration/remote.h"
#include "tests/integration/worker_pids.h"

namespace cairn::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class NodeSumsTest : public NodesFixture {
 protected:
  static std::string Federation(const std::string& combine, int rounds) {
    return absl::StrCat("  - {name: f, combine: ", combine, ", rounds: ", rounds, ", clients: {min: 3}}\n");
  }
  static double Folds(const ServerProcess& gateway) {
    return MetricValue(gateway.metrics_address(), "cairn_step_seconds_count{federation=\"f\",step=\"fold\"}");
  }
  // Only sums came to the root.
  void ExpectNoUpdateMoved() const {
    EXPECT_EQ(Brought("update"), 0);
    EXPECT_GT(Brought("sum"), 0);
    EXPECT_FALSE(std::filesystem::exists(root_->data_dir() / "objects" / "f"));
    EXPECT_THAT(root_->Log(), Not(HasSubstr("are fetched")));
  }
};

struct Case {
  std::string combine, n1, n2;
};

class NodeSumsOfTest : public NodeSumsTest, public ::testing::WithParamInterface<Case> {};

TEST_P(NodeSumsOfTest, PublishTheBytesOfASingleServer) {
  if (GetParam().combine == "mean") parties_ = &kEqual;
  ServeNodes(Federation(GetParam().combine, 2), GetParam().n1, GetParam().n2);
  for (std::uint64_t round = 1; round <= 2; ++round) {
    for (const char* name : {"ada", "bob", "cyd"}) {
      const absl::Status pushed = Push(name, round);
      ASSERT_TRUE(pushed.ok()) << pushed;
    }
    const auto published = AwaitVersion(round);
    ASSERT_TRUE(published.ok()) << published.status();
    ASSERT_EQ(published->version(), round);
    EXPECT_EQ(published->outcomes_size(), 3);
  }
  ExpectNoUpdateMoved();
  const bool durable = GetParam().n1.find("memory") == std::string::npos;
  if (durable) AwaitNoObjects(*n1_);
  EXPECT_EQ(BytesOf(root_->latest("f")), BytesOfOneServer(2));
  EXPECT_EQ(Folds(*n1_), 4);
  EXPECT_EQ(Folds(*n2_), GetParam().n2.find("workers") == std::string::npos ? 0 : 2);
  for (const ServerProcess* gateway : {n1_.get(), n2_.get()}) {
    EXPECT_THAT(gateway->Log(), Not(HasSubstr("adds up the updates itself")));
  }
}
INSTANTIATE_TEST_SUITE_P(
    , NodeSumsOfTest,
    ::testing::Values(Case{"mean", "workers: 2\n", "workers: 2\n"}, Case{"zero_pad", "workers: 2\n", "workers: 2\n"},
                      Case{"mean", "workers: 2\n", ""},
                      Case{"zero_pad", "workers: 2\ndurability: memory\n", "durability: memory\n"}),
    [](const auto& each) { return absl::StrCat("Case", each.index); });

TEST_F(NodeSumsTest, AKilledGatewayAddsUpWhatItAcknowledged) {
  ServeNodes(Federation("zero_pad", 1), "workers: 2\n", "workers: 2\n");
  ASSERT_TRUE(Push("ada").ok());
  ASSERT_TRUE(Push("bob").ok());
  n1_->Kill();
  n2_->Kill();
  ASSERT_TRUE(n1_->Start().ok());
  const absl::Status pushed = Push("cyd");
  ASSERT_TRUE(pushed.ok()) << pushed;
  const auto held = Await([](const v1::RoundInfo& info) { return info.phase() == v1::ROUND_PHASE_AGGREGATING; });
  ASSERT_TRUE(held.ok()) << held.status();
  EXPECT_THAT(held->waiting_for(), HasSubstr("waiting for node n2 with 1 update"));
  ASSERT_TRUE(n2_->Start().ok());
  const auto published = AwaitVersion(1);
  ASSERT_TRUE(published.ok()) << published.status();
  EXPECT_EQ(published->version(), 1u);
  ExpectNoUpdateMoved();
  EXPECT_EQ(BytesOf(root_->latest("f")), BytesOfOneServer(1));
}

TEST_F(NodeSumsTest, AKilledRootAsksForTheSumsAgain) {
  ServeNodes(Federation("zero_pad", 1), "workers: 2\n", "");
  ASSERT_TRUE(Push("ada").ok());
  ASSERT_TRUE(Push("bob").ok());
  ASSERT_TRUE(root_->Restart().ok());
  ASSERT_TRUE(Push("cyd").ok());
  ASSERT_TRUE(root_->Restart().ok());  // Before, while or after it has published.
  AwaitRootAtNodes();
  const auto published = AwaitVersion(1);
  ASSERT_TRUE(published.ok()) << published.status();
  EXPECT_EQ(published->version(), 1u);
  EXPECT_FALSE(std::filesystem::exists(root_->data_dir() / "objects" / "f"));
  EXPECT_EQ(BytesOf(root_->latest("f")), BytesOfOneServer(1));
}

TEST_F(NodeSumsTest, KilledWorkersOfAGatewayAreReplaced) {
  ServeNodes(Federation("zero_pad", 2), "workers: 2\n", "workers: 2\n");
  for (std::uint64_t round = 1; round <= 2; ++round) {
    ASSERT_TRUE(Push("ada", round).ok());
    ASSERT_TRUE(Push("bob", round).ok());
    EXPECT_TRUE(Eventually([&] { return WorkersOf(n1_->child().pid()).size() == 2; }));
    for (const pid_t worker : WorkersOf(n1_->child().pid())) kill(worker, SIGKILL);
    ASSERT_TRUE(Push("cyd", round).ok());
    const auto published = AwaitVersion(round);
    ASSERT_TRUE(published.ok()) << published.status();
    ASSERT_EQ(published->version(), round);
  }
  ExpectNoUpdateMoved();
  EXPECT_EQ(BytesOf(root_->latest("f")), BytesOfOneServer(2));
}

}  // namespace
}  // namespace cairn::testing
