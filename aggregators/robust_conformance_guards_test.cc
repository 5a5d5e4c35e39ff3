// Guards mix as their slow twins on random columns, and the same way however these are scaled, turned or ordered.
#include "aggregators/robust_cases.h"
#include "aggregators/robust_conformance.h"

namespace cairn::robust_conformance {
namespace {

constexpr std::uint64_t kSeeds = 500, kChangedSeeds = 20;
constexpr double kRounding = 1e-12;  // Entries of M are at most 1.

// M as the guard makes it of the columns.
kernels::SmallMatrix MixOf(const GuardFacts& facts, const Columned& input) {
  auto mix = GuardOf(facts, input)->Mix({GramOf(input.updates), input.faulty, input.round});
  EXPECT_TRUE(mix.ok()) << mix.status();
  return mix.ok() ? *std::move(mix) : kernels::SmallMatrix();
}

double LargestDifference(const kernels::SmallMatrix& x, const kernels::SmallMatrix& y) {
  EXPECT_EQ(x.rows, y.rows);
  EXPECT_EQ(x.columns, y.columns);
  double largest = 0;
  for (std::size_t k = 0; k < x.values.size(); ++k) largest = std::max(largest, std::abs(x.values[k] - y.values[k]));
  return largest;
}

TEST(RobustConformance, EveryGuardHasFacts) {
  for (const std::string& name : GuardNames()) {
    EXPECT_TRUE(std::any_of(kGuardFacts.begin(), kGuardFacts.end(),
                            [&](const GuardFacts& facts) { return NameOf(facts.spec) == name; }))
        << "add the facts of guard " << name << " to kGuardFacts";
  }
}

TEST_P(GuardConformance, MixesAsItsSlowTwin) {
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    Random random(seed);
    const Columned input = RandomInput(GetParam().bound, random);
    const std::unique_ptr<Guard> guard = GuardOf(GetParam(), input);
    const std::size_t count = input.updates.size();
    EXPECT_TRUE(guard->CheckClients(count, input.faulty).ok());
    const auto mix = guard->Mix({GramOf(input.updates), input.faulty, input.round});
    ASSERT_TRUE(mix.ok()) << mix.status();
    const Columns mixture = GetParam().mixture(input);
    ASSERT_EQ(mix->rows, count);
    ASSERT_EQ(mix->columns, mixture.size());
    EXPECT_EQ(guard->ColumnsOf(count), mixture.size());
    for (std::size_t i = 0; i < mix->rows; ++i) {
      for (std::size_t j = 0; j < mix->columns; ++j) {
        EXPECT_GE(mix->at(i, j), 0);
        EXPECT_NEAR(mix->at(i, j), mixture[j][i], kRounding) << "what column " << j << " takes of " << i;
      }
    }
    if (HasFailure()) FAIL() << "seed " << seed << ", " << count << " columns, f = " << input.faulty;
  }
}

TEST_P(GuardConformance, FewerColumnsThanItsBoundAreRefused) {
  for (const std::size_t faulty : {0, 1, 3}) {
    const std::unique_ptr<Guard> guard = GuardOf(GetParam(), {.faulty = faulty});
    const std::size_t least = GetParam().bound.least(faulty);
    EXPECT_TRUE(guard->CheckClients(least, faulty).ok());
    if (least <= 1) continue;
    EXPECT_EQ(guard->CheckClients(least - 1, faulty).code(), absl::StatusCode::kInvalidArgument);
  }
}

TEST_P(GuardConformance, LengthsAndDirectionsOfTheColumnsDoNotMatter) {
  for (std::uint64_t seed = 1; seed <= kChangedSeeds; ++seed) {
    Random random(seed);
    Columned input = RandomInput(GetParam().bound, random);
    const kernels::SmallMatrix plain = MixOf(GetParam(), input);
    const Columns rotation = RandomRotation(input.updates[0].size(), random);
    input.unit = std::pow(10, random.Uniform(-29, 29));
    input = Changed(
        input, [&](const Vector& x) { return reference::Scaled(reference::Combination(rotation, x), input.unit); });
    EXPECT_LE(LargestDifference(plain, MixOf(GetParam(), input)), 1e-9) << seed;
  }
}

TEST_P(GuardConformance, TheOrderOfColumnsMattersToLotsOnly) {
  double furthest = 0;
  for (std::uint64_t seed = 1; seed <= kChangedSeeds; ++seed) {
    Random random(seed);
    Columned input = RandomInput(Kind::kGaussian, 9, 5, 2, random);
    const kernels::SmallMatrix plain = MixOf(GetParam(), input);
    std::rotate(input.updates.begin(), input.updates.begin() + 1, input.updates.end());
    const kernels::SmallMatrix other = MixOf(GetParam(), input);
    for (std::size_t i = 0; i < plain.rows; ++i) {
      for (std::size_t j = 0; j < plain.columns; ++j) {
        const std::size_t next = GetParam().lots ? j : (j + 1) % plain.columns;
        furthest = std::max(furthest, std::abs(plain.at((i + 1) % plain.rows, next) - other.at(i, j)));
      }
    }
  }
  if (GetParam().lots) {
    EXPECT_GT(furthest, 0.1);
  } else {
    EXPECT_LE(furthest, kRounding);
  }
}

INSTANTIATE_TEST_SUITE_P(Guards, GuardConformance, ::testing::ValuesIn(Registered(kGuardFacts, GuardNames())),
                         [](const auto& info) { return TestName(info); });

}  // namespace
}  // namespace cairn::robust_conformance
