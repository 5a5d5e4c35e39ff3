#include "aggregators/kernels/window_sum.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <random>
#include <vector>

namespace cairn::kernels {
namespace {

using ::testing::ElementsAre;

// What one client adds to a block of one row.
template <typename T>
struct Terms {
  std::vector<T> values;
  double factor = 1;
};

// A block of one row with its planes.
struct Block {
  BlockWindows windows;
  std::vector<std::vector<std::int64_t>> planes;

  std::vector<std::int64_t>& Plane(BlockWindows::Place place, std::size_t size) {
    if (planes.size() <= static_cast<std::size_t>(place.plane)) planes.resize(place.plane + 1);
    // Whatever was in memory before.
    if (planes[place.plane].empty()) planes[place.plane].assign(size, 12345);
    if (place.fresh) std::fill(planes[place.plane].begin(), planes[place.plane].end(), 0);
    return planes[place.plane];
  }
  const std::vector<std::int64_t>& Plane(int below) const { return planes[windows.plane(below)]; }
};

ColumnBlock Row(std::size_t size) {
  return {.columns = static_cast<std::int64_t>(size), .width = static_cast<std::int64_t>(size), .at = 0};
}

template <typename T>
double GreatestOf(const Terms<T>& terms) {
  double greatest = 0;
  for (const T x : terms.values) greatest = std::max(greatest, std::abs(terms.factor * x));
  return greatest;
}

template <typename T>
void Add(const Terms<T>& terms, Block& block) {
  const double greatest = GreatestOf(terms);
  if (greatest == 0) return;
  const int window = WindowOf(greatest);
  const std::size_t size = terms.values.size();
  const BlockWindows::Place place = block.windows.Enter(window);
  if (place.plane == BlockWindows::kNone) return;
  AddTerms(absl::MakeConstSpan(terms.values), Row(size), terms.factor, window,
           absl::MakeSpan(block.Plane(place, size)));
  if constexpr (sizeof(T) == sizeof(double)) {
    const BlockWindows::Place below = block.windows.EnterBelow(window);
    if (below.plane == BlockWindows::kNone) return;
    AddRemainders(terms.values, Row(size), terms.factor, window, absl::MakeSpan(block.Plane(below, size)));
  }
}

void Merge(const Block& other, Block& block) {
  for (int below = 0; below < kSumPlanes; ++below) {
    if (other.windows.plane(below) == BlockWindows::kNone) continue;
    const BlockWindows::Place place = block.windows.Enter(other.windows.top() - below);
    if (place.plane == BlockWindows::kNone) break;
    AddSums(other.Plane(below), absl::MakeSpan(block.Plane(place, other.Plane(below).size())));
  }
}

std::vector<double> ValuesOf(const Block& block, std::size_t size, double divisor = 1) {
  std::vector<double> out(size, 0);
  if (block.windows.empty()) return out;
  std::array<absl::Span<const std::int64_t>, kSumPlanes> planes;
  for (int below = 0; below < kSumPlanes; ++below) {
    if (block.windows.plane(below) != BlockWindows::kNone) planes[below] = block.Plane(below);
  }
  FromWindows(planes, block.windows.top(), divisor, absl::MakeSpan(out));
  return out;
}

// The slow twin, by definition and element by element: every term in the window of its client's greatest, whole numbers
// by std::nearbyint, and at last the three greatest windows that the block has.
template <typename T>
std::vector<double> Twin(const std::vector<Terms<T>>& all, double divisor) {
  const std::size_t size = all[0].values.size();
  int top = std::numeric_limits<int>::min();
  std::vector<std::map<int, long double>> sums(size);  // Whole numbers below 2^63: exact.
  for (const Terms<T>& terms : all) {
    const double greatest = GreatestOf(terms);
    if (greatest == 0) continue;
    const int window = std::max(static_cast<int>(std::floor(std::ilogb(greatest) / 16.0)), kWindowMin);
    top = std::max(top, window);
    for (std::size_t i = 0; i < size; ++i) {
      const double units = std::ldexp(terms.factor * terms.values[i], 32 - 16 * window);
      sums[i][window] += std::nearbyint(units);
      const double rest = std::ldexp(units - std::nearbyint(units), 16);
      if (sizeof(T) == sizeof(double)) sums[i][window - 1] += std::nearbyint(rest);
    }
  }
  std::vector<double> out(size, 0);
  for (std::size_t i = 0; i < size && top != std::numeric_limits<int>::min(); ++i) {
    for (const int window : {top - 2, top - 1, top}) {
      out[i] += std::ldexp(static_cast<double>(sums[i][window]), 16 * window - 32);
    }
    out[i] /= divisor;
  }
  return out;
}

// Clients of very different sizes, with elements of very different sizes in each.
template <typename T>
std::vector<Terms<T>> Hostile(std::mt19937_64& random, std::size_t clients, std::size_t size) {
  constexpr double kSizes[] = {0, 1e-45, 1e-40, 1e-30, 1e-12, 1e-3, 1, 7, 3e4, 1e10, 1e28};
  const auto pick = [&] { return kSizes[random() % std::size(kSizes)]; };
  const auto unit = [&] { return static_cast<double>(random() >> 11) * 0x1p-52 - 1; };
  std::vector<Terms<T>> all(clients);
  for (Terms<T>& terms : all) {
    terms.factor = static_cast<double>(1 + random() % 100'000) * (random() % 2 == 0 ? 1 : 0.37);
    const double scale = pick();
    for (std::size_t i = 0; i < size; ++i) {
      terms.values.push_back(static_cast<T>((random() % 4 == 0 ? std::min(pick(), scale) : scale) * unit()));
    }
  }
  return all;
}

// Of the terms [first, end) in an order, merged as a random tree.
template <typename T>
Block Tree(const std::vector<Terms<T>>& all, const std::vector<std::size_t>& order, std::size_t first, std::size_t end,
           std::mt19937_64& random) {
  Block block;
  if (end - first < 2 || random() % 4 == 0) {
    for (std::size_t i = first; i < end; ++i) Add(all[order[i]], block);
    return block;
  }
  const std::size_t cut = first + random() % (end - first + 1);
  Block left = Tree(all, order, first, cut == end ? first : cut, random);
  Merge(Tree(all, order, cut == end ? first : cut, end, random), left);
  return left;
}

template <typename T>
void ExpectOneResult(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  const std::size_t size = 1 + random() % 9;
  const std::vector<Terms<T>> all = Hostile<T>(random, 1 + random() % 30, size);
  const std::vector<double> expected = Twin(all, 3);
  std::vector<std::size_t> order(all.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  for (int trial = 0; trial < 10; ++trial) {
    std::shuffle(order.begin(), order.end(), random);
    const Block block = Tree(all, order, 0, order.size(), random);
    ASSERT_EQ(ValuesOf(block, size, 3), expected) << "seed " << seed << " trial " << trial;
  }
}

TEST(WindowSum, AnyOrderAndAnyTreeGiveTheTwinsBits) {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    ExpectOneResult<float>(seed);
    ExpectOneResult<double>(seed);
  }
}

// k * 2^-32 of the greatest term for float32; of float64 2^-48, where all clients are of one window or the next.
template <typename T>
void ExpectWithin(double least, double bound) {
  std::mt19937_64 random(7);
  for (int trial = 0; trial < 200; ++trial) {
    constexpr std::size_t kSize = 5, kClients = 40;
    std::vector<Terms<T>> all(kClients);
    double greatest = 0;
    Block block;
    for (Terms<T>& terms : all) {
      terms.factor = static_cast<double>(1 + random() % 9);
      const double scale = std::exp2(-static_cast<double>(random() % 1000) / 1000 * least);
      for (std::size_t i = 0; i < kSize; ++i) {
        terms.values.push_back(static_cast<T>(scale * (static_cast<double>(random() >> 11) * 0x1p-52 - 1)));
      }
      greatest = std::max(greatest, GreatestOf(terms));
      Add(terms, block);
    }
    const std::vector<double> out = ValuesOf(block, kSize);
    for (std::size_t i = 0; i < kSize; ++i) {
      long double exact = 0;
      for (const Terms<T>& terms : all) exact += static_cast<long double>(terms.factor * terms.values[i]);
      EXPECT_LE(std::abs(out[i] - static_cast<double>(exact)),
                kClients * bound * greatest + std::abs(out[i]) * 0x1p-51);
    }
  }
}
TEST(WindowSum, IsWithinItsBoundOfTheExactSum) {
  ExpectWithin<float>(60, 0x1p-32);
  ExpectWithin<float>(2, 0x1p-32);
  ExpectWithin<double>(12, 0x1p-48);
}

TEST(WindowSum, KeepsWhatBfloat16AndFloat32WouldLose) {
  // bfloat16 1 + 1000 * 0.001 stays 1; float32 2^24 + 1 stays 2^24.
  Block block;
  Add(Terms<float>{{1}}, block);
  for (int i = 0; i < 1000; ++i) Add(Terms<double>{{0.001}}, block);
  EXPECT_EQ(static_cast<float>(ValuesOf(block, 1)[0]), 2.0f);
}

TEST(WindowSum, OneFloatComesBack) {
  Block block;
  Add(Terms<float>{{3.14159274f, -1e-2f, 0}, 641}, block);
  EXPECT_THAT(ValuesOf(block, 3, 641), ElementsAre(double{3.14159274f}, double{-1e-2f}, 0));
}

// The window goes up by one twenty times, and by more; what falls out of three planes is gone.
TEST(WindowSum, WindowsMoveUp) {
  Block block;
  for (int jump = 0; jump < 20; ++jump) {
    Add(Terms<double>{{std::ldexp(1.0, 16 * (jump - 10)), 0}}, block);
    Add(Terms<float>{{std::ldexp(1.0f, 16 * (jump / 4)), 1}}, block);
    EXPECT_LE(block.planes.size(), 3u);
  }
  EXPECT_EQ(block.windows.top(), 9);
  EXPECT_EQ(ValuesOf(block, 2)[0], 0x1p144 + 0x1p128 + 0x1p112);
  Add(Terms<float>{{0x1p-20f, 1}}, block);
  EXPECT_THAT(ValuesOf(block, 2), ElementsAre(0x1p144 + 0x1p128 + 0x1p112, 0));
}

TEST(WindowSum, FullPlanesOf10000ClientsDoNotOverflow) {
  std::vector<std::int64_t> sum(2, 0);
  const std::vector<float> greatest = {0x1.fffffep15f, -0x1.fffffep15f};
  for (int i = 0; i < 10'000; ++i) AddTerms(greatest, Row(2), 1, 0, absl::MakeSpan(sum));
  std::vector<double> out(2);
  FromWindows({sum}, 0, 10'000, absl::MakeSpan(out));
  EXPECT_THAT(out, ElementsAre(greatest[0], greatest[1]));
}

TEST(WindowSum, TermsGoToTheirColumns) {
  std::vector<std::int64_t> sum(4, 10);
  const double unit = std::ldexp(1.0, -32);
  AddTerms(std::vector<float>{1, -2}, {.columns = 1, .width = 2, .at = 1}, 0.75 * 2 * unit, 0, absl::MakeSpan(sum));
  EXPECT_THAT(sum, ElementsAre(10, 12, 10, 7));  // 1.5 -> 2 (to even), -3.
}

TEST(WindowSum, TakesTheEndsOfFloat64) {
  EXPECT_EQ(WindowOf(0x1p1023), kWindowMax);
  EXPECT_EQ(WindowOf(5e-324), kWindowMin);
  EXPECT_EQ(WindowOf(65535.999), 0);
  EXPECT_EQ(WindowOf(65536), 1);
  EXPECT_EQ(WindowOf(1), 0);
  EXPECT_EQ(WindowOf(0.999), -1);
  for (const double value : {0x1.8p1023, 0x1.123456789p-920}) {
    Block block;
    Add(Terms<double>{{value}}, block);
    EXPECT_EQ(ValuesOf(block, 1)[0], value);
  }
  Block tiny, block;
  Add(Terms<double>{{2.5e-301}}, tiny);  // Below 2^-960 nothing is left.
  EXPECT_EQ(ValuesOf(tiny, 1)[0], 0);
  // A huge coefficient beside tiny values.
  Add(Terms<double>{{2.5e-301}, 1e300}, block);
  EXPECT_NEAR(ValuesOf(block, 1)[0], 0.25, 1e-15);
}

TEST(WindowSum, IntegersAreRoundedToNearestEvenOnce) {
  std::mt19937_64 random(3);
  std::vector<std::int64_t> sum;
  for (int i = 0; i < 1000; ++i) sum.push_back(static_cast<std::int64_t>(random()) >> (i % 62));
  std::vector<double> out(sum.size());
  FromWindows({sum}, 2, 1, absl::MakeSpan(out));  // Unit 1.
  for (std::size_t i = 0; i < sum.size(); ++i) ASSERT_EQ(out[i], static_cast<double>(sum[i]));
}

TEST(BlockWindows, TakesOnlyWhatABlockCanBe) {
  BlockWindows block;
  EXPECT_TRUE(block.Set(0, {-1, -1, -1}, 0));
  EXPECT_TRUE(block.Set(3, {1, -1, 0}, 2));
  EXPECT_EQ(block.top(), 3);
  EXPECT_EQ(block.plane(2), 0);
  EXPECT_FALSE(block.Set(3, {2, -1, 0}, 2));    // No such plane.
  EXPECT_FALSE(block.Set(3, {0, 0, -1}, 2));    // Twice.
  EXPECT_FALSE(block.Set(3, {-1, 0, -1}, 2));   // Nothing in the top.
  EXPECT_FALSE(block.Set(1, {-1, -1, -1}, 2));  // The top of nothing.
  EXPECT_FALSE(block.Set(kWindowMax + 1, {0, -1, -1}, 1));
  EXPECT_FALSE(block.Set(3, {-2, -1, -1}, 1));
  EXPECT_EQ(block.plane(0), 1);
}

}  // namespace
}  // namespace cairn::kernels
