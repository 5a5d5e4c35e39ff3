#include "simulation/trainer/attacker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/test_directory.h"
#include "simulation/attacks/testing.h"

namespace cairn {
namespace {

using attacks::Bytes;
using attacks::Difference;
using attacks::TestUpdate;
using ::testing::AllOf;
using ::testing::HasSubstr;

class AttackerTest : public ::testing::Test {
 protected:
  // One of two in a federation of five.
  std::unique_ptr<Attacker> Make(const std::string& attack, std::size_t attacker) const {
    auto made = Attacker::Create({attack, directory_.path(), 5, 2, attacker}, 7);
    EXPECT_TRUE(made.ok()) << made.status();
    return *std::move(made);
  }
  const TestDirectory directory_;
  const Lora mine_ = TestUpdate(1, 4), theirs_ = TestUpdate(2, 3);
};

TEST_F(AttackerTest, AloneItKnowsItsOwnUpdate) {
  const auto attacker = *Attacker::Create({"sign_flip:c=2", {}, 5, 1, 0}, 7);
  const Lora sent = *attacker->Forge({.number = 1, .own = &mine_}, absl::ZeroDuration());
  EXPECT_LT(Difference(sent, mine_, -2), 1e-6);
}

TEST_F(AttackerTest, AccomplicesShareTheirUpdatesAndWaitForThem) {
  const auto first = Make("ipm:epsilon=2", 0), second = Make("ipm:epsilon=2", 1);
  const auto early = first->Forge({.number = 1, .own = &mine_}, absl::ZeroDuration());
  EXPECT_EQ(early.status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(early.status().message(), AllOf(HasSubstr("accomplice 1"), HasSubstr("round-1")));

  // The second one finds what the first has left. Both see both, so that they send the same: -2 (mine + theirs) / 2.
  const Lora sent = *second->Forge({.number = 1, .own = &theirs_}, absl::ZeroDuration());
  const Lora again = *first->Forge({.number = 1, .own = &mine_}, absl::ZeroDuration());
  EXPECT_LT(Difference(sent, again), 1e-6);
  EXPECT_EQ(sent.rank, 4 + 3);
  EXPECT_FALSE(second->Forge({.number = 2, .own = &theirs_}, absl::ZeroDuration()).ok()) << "rounds are apart";
}

TEST_F(AttackerTest, NoiseDiffersBetweenRoundsAndABackdoorDoesNot) {
  const auto sent = [&](const char* attack, std::uint64_t round) {
    const auto attacker = *Attacker::Create({attack, {}, 5, 1, 0}, 7);
    return Bytes(*attacker->Forge({.number = round, .own = &mine_}, absl::ZeroDuration()));
  };
  EXPECT_EQ(sent("gaussian", 1), sent("gaussian", 1));
  EXPECT_NE(sent("gaussian", 1), sent("gaussian", 2));
  EXPECT_EQ(sent("backdoor", 1), sent("backdoor", 2));
}

TEST_F(AttackerTest, RefusesWhatDoesNotFitTogether) {
  EXPECT_THAT(Attacker::Create({"ipm", {}, 5, 2, 0}, 7).status().message(), HasSubstr("expected a directory"));
  EXPECT_THAT(Attacker::Create({"ipm", "x", 5, 2, 2}, 7).status().message(), HasSubstr("got 2, 2, 5"));
  EXPECT_THAT(Attacker::Create({"bribe", {}, 5, 1, 0}, 7).status().message(), HasSubstr("bribe"));
}

}  // namespace
}  // namespace cairn
