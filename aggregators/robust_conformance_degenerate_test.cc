// Columns that are few, equal, zero, dependent, huge or tiny: defined results, no NaN, the same every time.
#include <limits>

#include "aggregators/robust_cases.h"
#include "aggregators/robust_conformance.h"

namespace cairn::robust_conformance {
namespace {

constexpr std::size_t kCount = 7, kDimension = 5;

// Its length, and everything made of it and its multiples, has no rounding.
const Vector kLine = {2, 3, 6, 0, 0};

struct Degenerate {
  std::string name;
  Columns updates;
  bool spectrum = true;    // What rules take from eigenvectors is determined.
  bool determined = true;  // As far as float64 goes, the result is what the definition says.
};

Columns Gaussian(std::size_t count, std::uint64_t seed) {
  Random random(seed);
  return RandomColumns(Kind::kGaussian, count, kDimension, 0, random);
}

Columns Multiples(const Vector& column, const Vector& factors) {
  Columns columns;
  for (const double factor : factors) columns.push_back(reference::Scaled(column, factor));
  return columns;
}

Columns Axes(std::size_t count) {
  Columns axes(count, Vector(count));
  for (std::size_t i = 0; i < count; ++i) axes[i][i] = 2;
  return axes;
}

// Every column times the next of `factors`, over and over.
Columns Times(Columns columns, const Vector& factors) {
  for (std::size_t i = 0; i < columns.size(); ++i) {
    columns[i] = reference::Scaled(columns[i], factors[i % factors.size()]);
  }
  return columns;
}

std::vector<Degenerate> AllDegenerate() {
  constexpr double kDenormal = std::numeric_limits<double>::denorm_min();
  Columns with_zero = Gaussian(kCount, 3);
  with_zero[2] = Vector(kDimension);
  return {
      {.name = "one", .updates = Gaussian(1, 1)},
      {.name = "two", .updates = Gaussian(2, 2)},
      {.name = "opposite", .updates = Multiples(kLine, {1, -1})},
      {.name = "identical", .updates = Columns(kCount, kLine)},
      {.name = "zero", .updates = Columns(kCount, Vector(kDimension))},
      {.name = "one zero", .updates = with_zero},
      {.name = "identical but one", .updates = Multiples(kLine, {1, 1, 1, 1, 1, 1, -3})},
      {.name = "collinear", .updates = Multiples(kLine, {1, -2, 3.5, 6.25, -7.75, 11, 20})},
      {.name = "even", .updates = Multiples(kLine, {1, 2, 3, 4, 5, 6, 7}), .spectrum = false},
      {.name = "orthogonal", .updates = Axes(kCount), .spectrum = false},
      {.name = "many in few dimensions", .updates = Gaussian(3 * kDimension, 4)},
      {.name = "huge", .updates = Times(Gaussian(kCount, 5), {1e30})},
      {.name = "tiny", .updates = Times(Gaussian(kCount, 6), {1e-30})},
      {.name = "huge and tiny", .updates = Times(Gaussian(kCount, 7), {1e30, 1e-30})},
      {.name = "denormal", .updates = Times(Gaussian(kCount, 8), {8 * kDenormal}), .determined = false},
      {.name = "denormal and not", .updates = Times(Gaussian(kCount, 9), {8 * kDenormal, 1}), .determined = false},
  };
}

Columned InputOf(const Degenerate& degenerate, std::size_t faulty) {
  const std::size_t count = degenerate.updates.size();
  return {.updates = degenerate.updates,
          .histories = Columns(count, Vector(degenerate.updates[0].size())),
          .named = degenerate.updates[0],
          .examples = Vector(count, 1),
          .faulty = faulty};
}

bool IsFinite(const Vector& x) {
  return std::all_of(x.begin(), x.end(), [](double value) { return std::isfinite(value); });
}

// 0, and the most that the bound allows of so many columns.
std::vector<std::size_t> FaultyOf(Bound bound, std::size_t count) {
  if (count < bound.least(0)) return {};
  if (bound.times == 0 || count < bound.least(1)) return {0};
  return {0, (count - bound.plus) / bound.times};
}

// `see` gets every input that `bound` allows.
template <typename See>
void ForEachDegenerate(Bound bound, const See& see) {
  for (const Degenerate& degenerate : AllDegenerate()) {
    for (const std::size_t faulty : FaultyOf(bound, degenerate.updates.size())) {
      SCOPED_TRACE(::testing::Message() << degenerate.name << ", f = " << faulty);
      see(degenerate, InputOf(degenerate, faulty));
    }
  }
}

TEST_P(RuleConformance, DegenerateColumnsGiveFiniteResultsWithTheSameBits) {
  ForEachDegenerate(GetParam().bound, [&](const Degenerate&, const Columned& input) {
    const Outcome first = OutcomeOf(GetParam(), input), again = OutcomeOf(GetParam(), input);
    EXPECT_TRUE(IsFinite(first.output.weights));
    EXPECT_TRUE(IsFinite(first.y));
    EXPECT_TRUE(SameBits(first.output.weights, again.output.weights));
  });
}

TEST_P(RuleConformance, DegenerateColumnsAgreeWithTheSlowTwin) {
  ForEachDegenerate(GetParam().bound, [&](const Degenerate& degenerate, const Columned& input) {
    if (!degenerate.determined || (GetParam().spectral && !degenerate.spectrum)) return;
    const Outcome outcome = OutcomeOf(GetParam(), input);
    EXPECT_LE(Distance(outcome.y, GetParam().twin(input)), GetParam().tolerance * outcome.size);
  });
}

TEST_P(RuleConformance, IdenticalColumnsAreTheirOwnMean) {
  if (!GetParam().mean) return;
  for (const std::size_t faulty : FaultyOf(GetParam().bound, kCount)) {
    const Outcome outcome =
        OutcomeOf(GetParam(), InputOf({.name = "identical", .updates = Columns(kCount, kLine)}, faulty));
    EXPECT_LE(Distance(outcome.y, kLine), GetParam().tolerance * reference::Norm(kLine)) << faulty;
  }
}

TEST_P(RuleConformance, ZeroColumnsGiveZero) {
  const Vector zero(kDimension);
  for (const std::size_t faulty : FaultyOf(GetParam().bound, kCount)) {
    EXPECT_EQ(OutcomeOf(GetParam(), InputOf({.name = "zero", .updates = Columns(kCount, zero)}, faulty)).y, zero);
  }
}

TEST_P(GuardConformance, DegenerateColumnsGiveFiniteMixturesWithTheSameBits) {
  ForEachDegenerate(GetParam().bound, [&](const Degenerate&, const Columned& input) {
    const std::unique_ptr<Guard> guard = GuardOf(GetParam(), input);
    const kernels::SmallMatrix gram = GramOf(input.updates);
    const auto first = guard->Mix({gram, input.faulty, 4}), again = guard->Mix({gram, input.faulty, 4});
    ASSERT_TRUE(first.ok()) << first.status();
    EXPECT_TRUE(IsFinite(first->values));
    EXPECT_TRUE(SameBits(first->values, again->values));
  });
}

}  // namespace
}  // namespace cairn::robust_conformance
