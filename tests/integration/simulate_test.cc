// `cairn simulate` with real processes on a tiny model: what an attacker does to the others.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "base/limits.h"
#include "base/test_directory.h"
#include "tests/integration/child.h"
#include "tests/integration/server_process.h"

namespace cairn::testing {
namespace {

using ::testing::HasSubstr;

constexpr absl::Duration kTimeout = absl::Minutes(2);

class Simulate : public ::testing::Test {
 protected:
  Simulate() {
    for (const char* name : {"a", "b", "c", "x", "y"}) {
      std::ofstream text(directory_ / name);
      for (int i = 0; i < 800; ++i) text << "Client " << name << " writes line " << i * 7919 % 1000 << ".\n\n";
    }
  }

  // Three honest clients, and those of `attackers` (YAML).
  Outcome Run(const std::string& attackers, const std::string& method) const {
    std::ofstream(directory_ / "experiment.yaml")
        << "name: test\nseed: 1\nrounds: 2\ndata: " << directory_.path().native() << "\n"
        << "model: {width: 16, layers: 1, heads: 2, context: 16}\npretraining: {steps: 20}\n"
        << "training: {steps: 20, batch: 4}\nmethods: ['" << method << "']\nclients:\n"
        << "  - {name: a, rank: 4, documents: [a]}\n  - {name: b, rank: 4, documents: [b]}\n"
        << "  - {name: c, rank: 4, documents: [c]}\n"
        << attackers;
    const auto outcome = RunCommand(
        {"/usr/bin/env", absl::StrCat("XDG_CACHE_HOME=", (directory_ / "cache").native()), BuiltProgram("cairn"),
         "simulate", (directory_ / "experiment.yaml").native(), "--out", (directory_ / "out").native()},
        kTimeout);
    EXPECT_TRUE(outcome.ok()) << outcome.status();
    EXPECT_EQ(outcome->exit_code, 0) << outcome->output;
    return *outcome;
  }

  // The mean over a, b and c of the held-out loss after the last round.
  double HonestLoss() const {
    const auto results = nlohmann::json::parse(*ReadFile(directory_ / "out/results.json", limits::kMiB));
    double sum = 0;
    for (int c = 0; c < 3; ++c) sum += results["methods"][0]["clients"][c]["held_out"].back()["loss"].get<double>();
    return sum / 3;
  }

  const TestDirectory directory_;
};

TEST_F(Simulate, AttackersHurtAMeanThatTrustsEverybody) {
  Run("", "stack");
  const double honest = HonestLoss();
  const Outcome attacked =
      Run("  - {name: x, rank: 4, documents: [x], attack: 'sign_flip:c=4'}\n"
          "  - {name: y, rank: 4, documents: [y], attack: 'sign_flip:c=4'}\n",
          "stack");
  EXPECT_GT(HonestLoss(), honest + 0.05);
  EXPECT_THAT(attacked.output, HasSubstr("x!"));
  EXPECT_THAT(attacked.output, HasSubstr("honest mean"));
}

// The server refuses it, and nobody waits for it.
TEST_F(Simulate, AnAttackerThatIsRefusedStopsNobody) {
  Run("  - {name: x, rank: 4, documents: [x], attack: nan}\n", "svd");
  EXPECT_LT(HonestLoss(), 5);
}

}  // namespace
}  // namespace cairn::testing
