// Rules that bear with clients that lie, in a real server: who is voted down and how that is told, clients that a rule
// trusts, and what rules remember over kill -9.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "adapter/directory.h"
#include "tests/integration/child.h"
#include "tests/integration/federation_fixture.h"
#include "tests/integration/remote.h"

namespace cairn::testing {
namespace {

namespace fs = std::filesystem;
namespace reference = kernels::reference;
using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;

const std::vector<Party> kFive = {
    {"ada", 2, 2, 100}, {"bob", 2, 2, 60}, {"cyd", 2, 2, 40}, {"dan", 2, 2, 50}, {"eve", 2, 2, 70}};

// Honest clients learn much the same: a common change, and a little of their own.
UpdateBytes Honest(std::size_t i, std::uint64_t round) {
  return MakeUpdateBytes(round, kModules, 2, 2, DType::kF32,
                         [i](const ModuleSpec&, std::vector<float>&, std::vector<float>& b) {
                           for (std::size_t k = 0; k < b.size(); ++k) {
                             b[k] += 0.01f * static_cast<float>((k * 7 + i * 13) % 11);
                           }
                         });
}

// The opposite, a thousand times.
UpdateBytes Lie(std::uint64_t round) {
  return MakeUpdateBytes(round, kModules, 2, 2, DType::kF32,
                         [](const ModuleSpec&, std::vector<float>&, std::vector<float>& b) {
                           for (float& value : b) value *= -1000;
                         });
}

class RobustTest : public FederationFixture {
 protected:
  // The clients one after the other; the last may lie.
  void PushAll(const std::vector<Party>& parties, std::uint64_t round, bool lie) {
    for (std::size_t i = 0; i < parties.size(); ++i) {
      const bool liar = lie && i + 1 == parties.size();
      const absl::Status pushed =
          PushOne(*clients_[i], liar ? Lie(round) : Honest(i, round), round, parties[i].examples);
      ASSERT_TRUE(pushed.ok()) << pushed;
    }
  }
  v1::RoundInfo AwaitVersion(std::uint64_t version) {
    const auto info = AwaitStatus(server_->address(), "f",
                                  [version](const v1::RoundInfo& info) { return info.version() >= version; });
    EXPECT_TRUE(info.ok()) << info.status();
    EXPECT_GE(info->version(), version) << info->waiting_for();
    return *info;
  }
  std::string Cairn(const std::string& command, const std::vector<std::string>& flags = {}) {
    std::vector<std::string> arguments = {BuiltProgram("cairn"), command, "--server", server_->address()};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    const auto outcome = RunCommand(arguments);
    EXPECT_TRUE(outcome.ok()) << outcome.status();
    return outcome->output;
  }
  double Metric(const std::string& name, const std::string& client) {
    return MetricValue(server_->metrics_address(), absl::StrCat(name, "{client=\"", client, "\",federation=\"f\"}"));
  }
};

TEST_F(RobustTest, ALiarIsVotedDownAndShown) {
  Serve("  - {name: f, rule: 'krum:f=1', rounds: 2, clients: {min: 5}}\n");
  JoinAll("f", kFive);
  PushAll(kFive, 1, /*lie=*/true);
  const v1::RoundInfo info = AwaitVersion(1);
  ASSERT_EQ(info.outcomes_size(), 5);
  const v1::ClientOutcome& eve = info.outcomes(4);
  EXPECT_EQ(eve.client(), "eve");
  EXPECT_EQ(eve.weight(), 0);
  EXPECT_FALSE(eve.accepted());
  EXPECT_THAT(eve.reason(), HasSubstr("krum"));
  EXPECT_LT(eve.cosine(), -0.9);
  double weights = 0;
  for (const v1::ClientOutcome& outcome : info.outcomes()) {
    weights += outcome.weight();
    if (outcome.client() == "eve") continue;
    EXPECT_LT(outcome.distance(), eve.distance() / 100) << outcome.client();
  }
  EXPECT_EQ(weights, 1);
  // What is published is an honest client's.
  const auto stored = OpenAdapterDirectory(server_->latest("f"));
  ASSERT_TRUE(stored.ok()) << stored.status();
  const InMemoryUpdate honest(Honest(0, 1));
  for (std::size_t m = 0; m < kModules.size(); ++m) {
    EXPECT_LT(reference::MaxDifference(reference::DenseSum({ReferenceOf(stored->adapter.modules[m], 1)}),
                                       reference::DenseSum({ReferenceOf(honest.adapter().modules[m], 1)})),
              1);
  }
  EXPECT_THAT(Cairn("status"), AllOf(HasSubstr("f version 1:  weight  distance"),
                                     ContainsRegex("eve +0  +[0-9.e+]+ +-0\\.99*[0-9]* +krum score")));
  EXPECT_THAT(Cairn("status", {"--json"}), HasSubstr("\"outcomes\""));
  EXPECT_EQ(Metric("cairn_client_dropped_total", "eve"), 1);
  EXPECT_EQ(MetricValue(server_->metrics_address(), "cairn_clients_dropped{federation=\"f\"}"), 4);
  EXPECT_GT(Metric("cairn_client_distance", "eve"), 100 * Metric("cairn_client_distance", "ada"));

  // It takes part in the next round as everybody does; after a restart the last table is there again.
  ASSERT_TRUE(server_->Restart().ok());
  EXPECT_EQ(AwaitVersion(1).outcomes_size(), 5);
  PushAll(kFive, 2, /*lie=*/false);
  ExpectFinished();
}

TEST_F(RobustTest, TheRoundWaitsForTheClientThatTheRuleTrusts) {
  Serve("  - {name: f, rule: 'fltrust:root=eve', rounds: 1, deadline: 200ms, clients: {min: 3, target: 4}}\n");
  JoinAll("f", kFive);
  for (std::size_t i = 0; i < 4; ++i) {
    ASSERT_TRUE(PushOne(*clients_[i], i == 0 ? Lie(1) : Honest(i, 1), 1, 1).ok());
  }
  const std::int64_t before = StatusOf(server_->address(), "f")->deadline_unix_ms();
  const auto later =
      AwaitStatus(server_->address(), "f", [&](const v1::RoundInfo& info) { return info.deadline_unix_ms() > before; });
  ASSERT_TRUE(later.ok()) << later.status();
  EXPECT_EQ(later->phase(), v1::ROUND_PHASE_OPEN);
  EXPECT_THAT(later->waiting_for(), HasSubstr("waiting for eve, which the rule needs"));
  ASSERT_TRUE(PushOne(*clients_[4], Honest(4, 1), 1, 1).ok());
  ExpectFinished();
  const v1::RoundInfo info = AwaitVersion(1);
  ASSERT_EQ(info.outcomes_size(), 5);
  EXPECT_FALSE(info.outcomes(0).accepted()) << "ada points away from the root";
  EXPECT_EQ(info.outcomes(0).weight(), 0);
  for (int i = 1; i < 4; ++i) EXPECT_GT(info.outcomes(i).weight(), 0.3);
  EXPECT_EQ(info.outcomes(4).weight(), 0);
  EXPECT_TRUE(info.outcomes(4).accepted());
  EXPECT_EQ(Metric("cairn_client_dropped_total", "eve"), 0);
}

struct Remembering {
  const char* name;
  const char* keys;
};

// Three rounds, in which the server is killed after every last receipt or not at all.
class MemoryTest : public RobustTest, public ::testing::WithParamInterface<Remembering> {
 protected:
  std::vector<std::string> Versions(const std::string& name, bool kills) {
    fs::create_directory(directory_ / name);
    server_ = std::make_unique<ServerProcess>(
        directory_ / name,
        absl::StrCat("federations:\n  - {name: f, ", GetParam().keys, ", rounds: 3, clients: {min: 5}}\n"));
    EXPECT_TRUE(server_->Start().ok());
    clients_.clear();
    JoinAll("f", kFive);
    std::vector<std::string> versions;
    for (std::uint64_t round = 1; round <= 3; ++round) {
      PushAll(kFive, round, /*lie=*/true);
      EXPECT_TRUE(!kills || server_->Restart().ok());
      versions.push_back(AwaitVersion(round).version_sha256());
    }
    return versions;
  }
};

TEST_P(MemoryTest, SurvivesKillsWithTheSameBytes) {
  const std::vector<std::string> undisturbed = Versions("undisturbed", false);
  EXPECT_EQ(Versions("disturbed", true), undisturbed);
}

INSTANTIATE_TEST_SUITE_P(Rules, MemoryTest,
                         ::testing::Values(Remembering{"CenteredClipping", "rule: 'centered_clipping:tau=5'"},
                                           Remembering{"CenteredClippingWarm",
                                                       "combine: svd, rule: 'centered_clipping:tau=5', "
                                                       "relative_to_published: true"},
                                           Remembering{"FoolsGold", "rule: foolsgold, rule_modules: [q]"}),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace cairn::testing
