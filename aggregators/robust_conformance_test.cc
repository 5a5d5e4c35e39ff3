// Rules agree with their slow twins on random columns, thousands of them in all, alone and behind guards.
#include "aggregators/robust_conformance.h"

#include <bit>

#include "absl/strings/str_cat.h"
#include "aggregators/robust_cases.h"

namespace cairn::robust_conformance {
namespace {

constexpr std::uint64_t kAloneSeeds = 400, kGuardedSeeds = 300;
constexpr int kGuardsMax = 3;
constexpr double kShake = 1e-14;
constexpr std::uint64_t kShakes = 20;
constexpr double kTiesMost = 0.02;  // Of the cases.

// Guards in front of a rule, and what their twins made of the columns.
struct Guarded {
  std::vector<std::unique_ptr<Guard>> guards;
  std::string specs;
  Columned mixed;
};

// Up to three, in random order, that leave enough columns for the rule.
Guarded RandomGuards(const Columned& input, Bound bound, Random& random) {
  const std::vector<GuardFacts> known = Registered(kGuardFacts, GuardNames());
  Guarded guarded{.guards = {}, .specs = "", .mixed = input};
  for (int i = 0; i < kGuardsMax && !known.empty(); ++i) {
    const GuardFacts& facts = known[random.Below(known.size())];
    const std::size_t count = guarded.mixed.updates.size(), after = (count + facts.bucket - 1) / facts.bucket;
    if (after < bound.least(input.faulty)) continue;
    guarded.mixed.faulty = random.Below((count + 1) / 2);
    guarded.guards.push_back(GuardOf(facts, guarded.mixed));
    absl::StrAppend(&guarded.specs, " ", Filled(facts.spec, guarded.mixed.faulty, 1));
    guarded.mixed = Mixed(guarded.mixed, facts.mixture(guarded.mixed));
  }
  guarded.mixed.faulty = input.faulty;
  return guarded;
}

// Columns changed in their last places; equal ones stay equal.
Columned Shaken(const Columned& input, std::uint64_t seed) {
  return Changed(input, [&](Vector x) {
    for (double& value : x) value *= 1 + kShake * Random(std::bit_cast<std::uint64_t>(value) + seed).Gaussian();
    return x;
  });
}

// How far the twin itself moves when the columns change by as little. Far where they tie but for rounding, as mixtures
// of mostly the same columns do.
double Unsteadiness(const RuleFacts& facts, const Columned& input) {
  const Vector y = facts.twin(input);
  double furthest = 0;
  for (std::uint64_t shake = 1; shake <= kShakes; ++shake) {
    furthest = std::max(furthest, Distance(facts.twin(Shaken(input, shake)), y));
  }
  return furthest;
}

// Weights are what rule.h says they are.
void ExpectInForm(const Rule& rule, const RuleFacts& facts, std::size_t count, const Outcome& outcome) {
  const RuleOutput& output = outcome.output;
  EXPECT_EQ(output.weights.size(), rule.needs().gram ? outcome.columns : count);
  double sum = 0;
  for (std::size_t j = 0; j < output.weights.size(); ++j) {
    sum += output.weights[j];
    EXPECT_TRUE(std::isfinite(output.weights[j])) << j;
    if (rule.any_weights()) continue;
    EXPECT_GE(output.weights[j], 0) << j;
    EXPECT_TRUE(j < count || output.weights[j] == 0) << "of column " << j << ", which is no update";
  }
  EXPECT_TRUE(!facts.mean || std::abs(sum - 1) <= facts.tolerance) << sum;
  EXPECT_EQ(output.coordinates.has_value(), rule.coordinate_wise());
  ASSERT_LE(output.reasons.size(), count);
  for (std::size_t j = 0; j < output.reasons.size(); ++j) {
    EXPECT_TRUE(output.reasons[j].empty() || output.weights[j] == 0) << output.reasons[j];
  }
}

TEST(RobustConformance, EveryRuleHasFacts) {
  for (const std::string& name : RuleNames()) {
    EXPECT_TRUE(std::any_of(kRuleFacts.begin(), kRuleFacts.end(),
                            [&](const RuleFacts& facts) { return NameOf(facts.spec) == name; }))
        << "add the facts of rule " << name << " to kRuleFacts";
  }
}

TEST_P(RuleConformance, AgreesWithItsSlowTwin) {
  for (std::uint64_t seed = 1; seed <= kAloneSeeds; ++seed) {
    Random random(seed);
    const Columned input = RandomInput(GetParam().bound, random);
    const std::unique_ptr<Rule> rule = RuleOf(GetParam(), input);
    const auto outcome = OutcomeOf(*rule, {}, input);
    ASSERT_TRUE(outcome.ok()) << outcome.status();
    ExpectInForm(*rule, GetParam(), input.updates.size(), *outcome);
    EXPECT_LE(Distance(outcome->y, GetParam().twin(input)), GetParam().tolerance * outcome->size);
    if (HasFailure()) FAIL() << "seed " << seed << ", " << input.updates.size() << " columns, f = " << input.faulty;
  }
}

TEST_P(RuleConformance, AgreesWithItsSlowTwinBehindGuards) {
  double ties = 0;
  for (std::uint64_t seed = 1; seed <= kGuardedSeeds; ++seed) {
    Random random(seed);
    const Columned input = RandomInput(GetParam().bound, random);
    const Guarded guarded = RandomGuards(input, GetParam().bound, random);
    const auto outcome = OutcomeOf(*RuleOf(GetParam(), input), guarded.guards, input);
    ASSERT_TRUE(outcome.ok()) << outcome.status();
    const double difference = Distance(outcome->y, GetParam().twin(guarded.mixed));
    if (difference <= GetParam().tolerance * outcome->size) continue;
    ++ties;
    ASSERT_LE(difference, 2 * Unsteadiness(GetParam(), guarded.mixed)) << "seed " << seed << guarded.specs;
  }
  EXPECT_LE(ties, kTiesMost * kGuardedSeeds);
}

TEST_P(RuleConformance, FewerColumnsThanItsBoundAreRefused) {
  for (const std::size_t faulty : {0, 1, 3}) {
    const Bound bound = GetParam().bound;
    const std::unique_ptr<Rule> rule = RuleOf(GetParam(), {.faulty = faulty});
    EXPECT_TRUE(rule->CheckClients(bound.least(faulty), faulty).ok());
    if (bound.least(faulty) <= 1) continue;
    const absl::Status status = rule->CheckClients(bound.least(faulty) - 1, faulty);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr(NameOf(GetParam().spec)));
  }
}

INSTANTIATE_TEST_SUITE_P(Rules, RuleConformance, ::testing::ValuesIn(Registered(kRuleFacts, RuleNames())),
                         [](const auto& info) { return TestName(info); });

}  // namespace
}  // namespace cairn::robust_conformance
