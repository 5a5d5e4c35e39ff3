// How results of rules change when the columns do.
#include "aggregators/robust_cases.h"
#include "aggregators/robust_conformance.h"

namespace cairn::robust_conformance {
namespace {

// Enough columns for every rule, and neighbours for Bulyan's last pick: with one neighbour only two always tie.
constexpr std::size_t kCount = 16, kFaulty = 3, kDimension = 10;
constexpr std::uint64_t kSeeds = 5;
// Of the size of the columns: what a rule without a symmetry must move by.
constexpr double kPlainly = 1e-3;

Columned Cohort(const RuleFacts& facts, std::uint64_t seed) {
  Random random(seed);
  return RandomInput(facts.ties ? Kind::kOutliers : Kind::kGaussian, kCount, kDimension, kFaulty, random);
}

Columned Permuted(const Columned& input, const std::vector<std::size_t>& order) {
  Columned permuted = input;
  for (std::size_t i = 0; i < order.size(); ++i) {
    permuted.updates[i] = input.updates[order[i]];
    permuted.histories[i] = input.histories[order[i]];
    permuted.examples[i] = input.examples[order[i]];
  }
  return permuted;
}

Columned Doubled(Columned input) {
  const auto twice = [](auto& values) {
    const auto copy = values;
    values.insert(values.end(), copy.begin(), copy.end());
  };
  twice(input.updates);
  twice(input.histories);
  twice(input.examples);
  input.faulty *= 2;
  return input;
}

// Of the largest difference, relative to the size of the columns.
void ExpectSymmetry(const RuleFacts& facts, bool symmetric, double difference) {
  if (symmetric) {
    EXPECT_LE(difference, facts.tolerance);
  } else {
    EXPECT_GT(difference, kPlainly);
  }
}

TEST_P(RuleConformance, RunAgainGivesTheSameBits) {
  const Columned input = Cohort(GetParam(), 1);
  const Outcome first = OutcomeOf(GetParam(), input), again = OutcomeOf(GetParam(), input);
  EXPECT_TRUE(SameBits(first.output.weights, again.output.weights));
  EXPECT_TRUE(SameBits(first.y, again.y));
}

TEST_P(RuleConformance, TheOrderOfColumnsDoesNotMatter) {
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const Columned input = Cohort(GetParam(), seed);
    Random random(seed);
    Vector keys;
    for (std::size_t i = 0; i < kCount; ++i) keys.push_back(random.Gaussian());
    const std::vector<std::size_t> order = reference::Ascending(keys);
    const Outcome plain = OutcomeOf(GetParam(), input), permuted = OutcomeOf(GetParam(), Permuted(input, order));
    EXPECT_LE(Distance(plain.y, permuted.y), GetParam().tolerance * plain.size) << seed;
    for (std::size_t i = 0; i < kCount; ++i) {
      EXPECT_NEAR(plain.output.weights[order[i]], permuted.output.weights[i], GetParam().tolerance) << seed << " " << i;
    }
  }
}

TEST_P(RuleConformance, RotatedColumnsGiveTheResultRotated) {
  double furthest = 0;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const Columned input = Cohort(GetParam(), seed);
    Random random(seed);
    const Columns rotation = RandomRotation(kDimension, random);
    const auto rotate = [&](const Vector& x) { return reference::Combination(rotation, x); };
    const Outcome plain = OutcomeOf(GetParam(), input);
    const Outcome rotated = OutcomeOf(GetParam(), Changed(input, rotate));
    furthest = std::max(furthest, Distance(rotate(plain.y), rotated.y) / plain.size);
  }
  ExpectSymmetry(GetParam(), GetParam().turns, furthest);
}

TEST_P(RuleConformance, ShiftedColumnsGiveTheResultShifted) {
  double furthest = 0;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const Columned input = Cohort(GetParam(), seed);
    Columned start = input;
    start.last = input.last.value_or(Vector(kDimension));  // The first round's zero would not be shifted.
    Random random(seed);
    const Vector by = random.Direction(kDimension);
    const auto shift = [&](const Vector& x) { return reference::Minus(x, by); };
    const Outcome plain = OutcomeOf(GetParam(), start), shifted = OutcomeOf(GetParam(), Changed(start, shift));
    furthest = std::max(furthest, Distance(shift(plain.y), shifted.y) / plain.size);
  }
  ExpectSymmetry(GetParam(), GetParam().shifts, furthest);
}

TEST_P(RuleConformance, ScaledColumnsGiveTheResultScaled) {
  for (const double factor : {1e-30, 1e-9, 3.0, 1e9, 1e30}) {
    const Columned input = Cohort(GetParam(), 7);
    Columned larger = Changed(input, [&](const Vector& x) { return reference::Scaled(x, factor); });
    larger.unit = factor;
    const Outcome plain = OutcomeOf(GetParam(), input), scaled = OutcomeOf(GetParam(), larger);
    if (!GetParam().scales) continue;  // Its length stays as it is; the result is finite.
    const double by = std::pow(factor, GetParam().degree);
    EXPECT_LE(Distance(reference::Scaled(plain.y, by), scaled.y), GetParam().tolerance * plain.size * by) << factor;
  }
}

TEST_P(RuleConformance, EveryColumnTwiceGivesTheSame) {
  if (!GetParam().doubles) return;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const Columned input = Cohort(GetParam(), seed);
    const Outcome plain = OutcomeOf(GetParam(), input), doubled = OutcomeOf(GetParam(), Doubled(input));
    EXPECT_LE(Distance(plain.y, doubled.y), GetParam().tolerance * plain.size) << seed;
  }
}

TEST_P(RuleConformance, RoundingToFloat32MovesTheResultByLittle) {
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    Random random(seed);
    const Columned input = RandomInput(Kind::kOutliers, kCount, kDimension, kFaulty, random);
    const Outcome rounded = OutcomeOf(GetParam(), Rounded(input));
    EXPECT_LE(Distance(GetParam().twin(input), rounded.y), GetParam().float_tolerance * rounded.size) << seed;
  }
}

}  // namespace
}  // namespace cairn::robust_conformance
