#include "simulation/attacks/attack.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "adapter/directory.h"
#include "simulation/attacks/attack_vectors.h"
#include "simulation/attacks/bounded_vectors.h"
#include "simulation/attacks/dense.h"
#include "simulation/attacks/testing.h"

namespace cairn {
namespace {

using attacks::AddScaled;
using attacks::Bytes;
using attacks::Difference;
using attacks::NormOf;
using attacks::TestUpdate;
using attacks::ValuesOf;
using attacks::Vector;
using ::testing::HasSubstr;

// Seven clients: five honest ones of different ranks, two attackers.
class AttackTest : public ::testing::Test {
 protected:
  AttackTest() {
    for (const std::int64_t rank : {4, 2, 3, 4, 1}) honest_.push_back(TestUpdate(100 + honest_.size(), rank));
    for (const Lora& update : honest_) pointers_.push_back(&update);
  }

  AttackerView View(std::size_t attacker = 0) const {
    return {.honest = pointers_, .own = &own_, .clients = 7, .attackers = 2, .attacker = attacker, .seed = 9};
  }
  Lora Forge(absl::string_view attack, const AttackerView& view) const {
    const auto made = MakeAttack(attack);
    EXPECT_TRUE(made.ok()) << made.status();
    const auto forged = (*made)->Forge(view);
    EXPECT_TRUE(forged.ok()) << attack << ": " << forged.status();
    return *forged;
  }
  Lora Forge(absl::string_view attack) const { return Forge(attack, View()); }

  Vector Values(const Lora& lora) const { return *ValuesOf(lora, own_); }
  std::vector<Vector> HonestValues() const {
    std::vector<Vector> out;
    for (const Lora& update : honest_) out.push_back(Values(update));
    return out;
  }
  // ||values of `lora` - wanted|| / ||wanted||
  double Miss(const Lora& lora, const Vector& wanted) const {
    Vector difference = Values(lora);
    AddScaled(-1, wanted, difference);
    return NormOf(difference) / NormOf(wanted);
  }

  std::vector<Lora> honest_;
  std::vector<const Lora*> pointers_;
  const Lora own_ = TestUpdate(7, 4);
};

TEST_F(AttackTest, EveryAttackSendsAnAdapterThatCanBeRead) {
  for (const std::string& name : AttackNames()) {
    const Lora forged = Forge(name);
    const auto bytes = ToAdapter(forged, "base");
    ASSERT_TRUE(bytes.ok()) << name << ": " << bytes.status();
    const auto adapter = ParseAdapter(bytes->safetensors, *ParsePeftConfig(bytes->config_json));
    ASSERT_TRUE(adapter.ok()) << name << ": " << adapter.status();
    EXPECT_EQ(adapter->modules.size(), own_.modules.size()) << name;
    const bool finite = attacks::NormOf(Values(FromAdapter(*adapter))) < 1e6;
    EXPECT_EQ(finite, !IsRefused(*ParseAttack(name))) << name;
  }
}

// What is declared is what is sent, but for attacks that may send any rank.
TEST_F(AttackTest, EveryAttackSendsTheRankThatItsSpecSays) {
  for (const std::string& name : AttackNames()) {
    const bool forges = ParseAttack(name)->forges_values;
    const std::string spec = forges ? name + ":rank=3" : name;
    AttackerView view = View();
    view.last = &honest_[0];
    const Lora forged = Forge(spec, view);
    const Sent sent = SentWith(*ParseAttack(spec), own_.rank, own_.alpha);
    if (name == "mimic") continue;  // Sends another's.
    EXPECT_EQ(forged.rank, sent.rank) << name;
    EXPECT_EQ(forged.alpha, sent.alpha) << name;
    for (const auto& [module, factors] : forged.modules) {
      EXPECT_EQ(factors.a.size(0), sent.rank) << name;
      EXPECT_EQ(factors.scale, sent.alpha / static_cast<double>(sent.rank)) << name;
    }
  }
}

TEST_F(AttackTest, EveryAttackIsDeterministic) {
  for (const std::string& name : AttackNames()) EXPECT_EQ(Bytes(Forge(name)), Bytes(Forge(name))) << name;
}

TEST_F(AttackTest, SendsTheValuesOfItsFormula) {
  const std::vector<Vector> honest = HonestValues();
  constexpr double kFloat = 1e-6;  // Factors are float32.
  EXPECT_LT(Miss(Forge("alie"), attacks::Alie(honest, attacks::AlieQuantile(7, 2))), kFloat);
  EXPECT_LT(Miss(Forge("alie:z=1.5"), attacks::Alie(honest, 1.5)), kFloat);
  EXPECT_LT(Miss(Forge("ipm:epsilon=0.1"), attacks::Reversed(honest, 0.1)), kFloat);
  EXPECT_LT(Miss(Forge("sign_flip:c=4"), attacks::Reversed(honest, 4)), kFloat);
  EXPECT_LT(Miss(Forge("min_max"), attacks::MinMax(honest, attacks::Direction::kUnit)), kFloat);
  EXPECT_LT(Miss(Forge("min_max:direction=sign"), attacks::MinMax(honest, attacks::Direction::kSign)), kFloat);
  EXPECT_LT(Miss(Forge("min_sum:direction=deviation"), attacks::MinSum(honest, attacks::Direction::kDeviation)),
            kFloat);
}

TEST_F(AttackTest, NoiseIsAsLongAsHonestUpdatesAndEverybodysOwn) {
  const double norm = attacks::MedianNormOf(HonestValues());
  for (const char* attack : {"gaussian:sigma=2", "uniform:sigma=2"}) {
    EXPECT_NEAR(NormOf(Values(Forge(attack))), 2 * norm, 1e-5 * norm) << attack;
    EXPECT_NE(Bytes(Forge(attack, View(0))), Bytes(Forge(attack, View(1)))) << attack;
  }
}

TEST_F(AttackTest, ByzMeanMakesTheMeanWhatItsBaseWants) {
  for (const std::string base : {"alie", "ipm", "gaussian"}) {
    Vector mean = attacks::Scaled(5, attacks::MeanOf(HonestValues()));
    AddScaled(1, Values(Forge("byz_mean:base=" + base, View(0))), mean);
    AddScaled(1, Values(Forge("byz_mean:base=" + base, View(1))), mean);
    EXPECT_LT(Miss(Forge(base), attacks::Scaled(1.0 / 7, mean)), 1e-5) << base;
  }
}

TEST_F(AttackTest, MimicsSendWhatAnHonestClientSends) {
  std::set<std::string> honest;
  for (const Lora& update : honest_) honest.insert(Bytes(update));
  EXPECT_EQ(honest.count(Bytes(Forge("mimic"))), 1u);
  EXPECT_EQ(Bytes(Forge("mimic", View(0))), Bytes(Forge("mimic", View(1))));
}

TEST_F(AttackTest, LabelsAreFlippedInTraining) {
  EXPECT_TRUE((*MakeAttack("label_flip"))->flips_labels());
  EXPECT_FALSE((*MakeAttack("ipm"))->flips_labels());
  EXPECT_EQ(Bytes(Forge("label_flip")), Bytes(own_));
}

TEST_F(AttackTest, ABackdoorIsOneUnitAtTheMedianNorm) {
  const Lora forged = Forge("backdoor");
  EXPECT_EQ(forged.rank, 1);
  EXPECT_NEAR(NormOf(Values(forged)) / attacks::MedianNormOf(HonestValues()), 1, 1e-6);
  EXPECT_EQ(Bytes(forged), Bytes(Forge("backdoor", View(1)))) << "accomplices write the same one";
}

// What is written adds up over rounds; everything else that is drawn is drawn anew.
TEST_F(AttackTest, ABackdoorIsTheSameInEveryRound) {
  const auto differs = [&](absl::string_view attack) {
    AttackerView first = View(), second = View();
    first.round = 1;
    second.round = 2;
    return Bytes(Forge(attack, first)) != Bytes(Forge(attack, second));
  };
  EXPECT_FALSE(differs("backdoor"));
  for (const char* attack : {"gaussian", "uniform", "sybil", "ill_conditioned", "byz_mean:base=gaussian"}) {
    EXPECT_TRUE(differs(attack)) << attack;
  }
}

TEST_F(AttackTest, AReplayIsTheLastRound) {
  const Lora last = TestUpdate(55, 6);
  AttackerView view = View();
  EXPECT_EQ(Bytes(Forge("stale_replay", view)), Bytes(own_)) << "there is none in the first round";
  view.last = &last;
  EXPECT_LT(Difference(Forge("stale_replay", view), last), 1e-6);
}

TEST_F(AttackTest, SybilsAreNearDuplicates) {
  const Lora one = Forge("sybil", View(0)), two = Forge("sybil", View(1));
  EXPECT_NE(Bytes(one), Bytes(two));
  EXPECT_LT(Difference(one, two), 1e-2);
}

// Combinations of the honest updates have the ranks of these at most, not those of the matrices.
TEST_F(AttackTest, ForgedRanksAreNoHigherThanTheyMustBe) {
  EXPECT_EQ(Forge("ipm").rank, 4 + 2 + 3 + 4 + 1);
  EXPECT_EQ(Forge("gaussian").rank, 16);
  EXPECT_EQ(Forge("gaussian:rank=5").rank, 5);
}

// In a warm round everybody sends the start as well, and the attack is on what was learned.
TEST_F(AttackTest, ValuesAreMeasuredFromTheStartOfTheRound) {
  const Lora start = TestUpdate(77, 2);
  AttackerView view = View();
  view.start = &start;
  Vector wanted = attacks::Scaled(1.5, Values(start));  // start - 0.5 (mu - start)
  AddScaled(-0.5, attacks::MeanOf(HonestValues()), wanted);
  EXPECT_LT(Miss(Forge("ipm", view), wanted), 1e-6);
}

TEST_F(AttackTest, NothingHonestGivesNothingForged) {
  const Lora nothing = FreshLora(attacks::kTiny, 4, 8, 1);
  const std::vector<const Lora*> honest = {&nothing, &nothing};
  AttackerView view = View();
  view.honest = honest;
  view.own = &nothing;
  for (const std::string& name : AttackNames()) {
    if (IsRefused(*ParseAttack(name))) continue;
    EXPECT_EQ(NormOf(Values(Forge(name, view))), 0) << name;
  }
}

TEST_F(AttackTest, RefusesViewsThatDoNotFitTogether) {
  const auto attack = *MakeAttack("ipm");
  AttackerView view = View();
  view.honest = {};
  EXPECT_THAT(attack->Forge(view).status().message(), HasSubstr("at least one honest update"));
  view = View(2);
  EXPECT_THAT(attack->Forge(view).status().message(), HasSubstr("attacker < attackers < clients, got 2, 2, 7"));
  Lora other = honest_[0];
  other.modules["elsewhere"] = other.modules.begin()->second;
  const std::vector<const Lora*> honest = {&other};
  view = View();
  view.honest = honest;
  EXPECT_THAT(attack->Forge(view).status().message(), HasSubstr("elsewhere"));
}

}  // namespace
}  // namespace cairn
