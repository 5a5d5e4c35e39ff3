#include "aggregators/block_terms.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <deque>
#include <limits>
#include <random>
#include <string>
#include <vector>

namespace cairn::internal {
namespace {

using kernels::BlockWindows;

constexpr std::int64_t kRows = 24, kColumns = 5, kBlockRows = 4, kBlocks = kRows / kBlockRows;

// A matrix of sums.
struct Matrix {
  std::vector<BlockWindows> windows = std::vector<BlockWindows>(kBlocks);
  // Whatever was in memory before.
  std::vector<std::vector<std::int64_t>> planes{3, std::vector<std::int64_t>(kRows* kColumns, 987654321)};

  static SumBlock Block(std::int64_t b) { return {b * kBlockRows, kBlockRows, kColumns}; }
  absl::Span<std::int64_t> At(std::int64_t b, int plane) {
    return absl::MakeSpan(planes[plane]).subspan(b * kBlockRows * kColumns, kBlockRows * kColumns);
  }

  Folded Add(const std::vector<const ScaledView*>& views, std::size_t* failed) {
    BlockTerms terms;
    std::vector<BlockSource> sources;
    for (const ScaledView* view : views) sources.push_back({view});
    for (std::int64_t b = 0; b < kBlocks; ++b) {
      const Folded folded = terms.Add(
          absl::MakeSpan(sources), Block(b), windows[b], [&](int plane) { return At(b, plane); }, failed);
      if (folded != Folded::kDone) return folded;
    }
    return Folded::kDone;
  }
  void Merge(Matrix& other) {
    for (std::int64_t b = 0; b < kBlocks; ++b) {
      AddBlockSums(
          other.windows[b], Block(b), [&](int plane) { return other.At(b, plane); }, Block(b), windows[b],
          [&](int plane) { return At(b, plane); });
    }
  }
  std::vector<double> Values() {
    std::vector<double> values(kRows * kColumns);
    for (std::int64_t b = 0; b < kBlocks; ++b) {
      ReadBlock(
          windows[b], [&](int plane) { return At(b, plane); }, 0, 3,
          absl::MakeSpan(values).subspan(b * kBlockRows * kColumns, kBlockRows * kColumns));
    }
    return values;
  }
};

// Views and their bytes.
class Cohort {
 public:
  Cohort(std::uint64_t seed, std::size_t clients) : random_(seed) {
    for (std::size_t i = 0; i < clients; ++i) AddClient();
  }
  std::vector<const ScaledView*> All() const {
    std::vector<const ScaledView*> all;
    for (const ScaledView& view : views_) all.push_back(&view);
    return all;
  }
  // Makes a value of a float32 view one that is not finite.
  void Spoil(std::size_t client, std::int64_t at) {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    std::copy_n(reinterpret_cast<const char*>(&nan), sizeof(nan), bytes_[client].data() + at * sizeof(nan));
  }
  DType dtype(std::size_t client) const { return views_[client].view.dtype; }

 private:
  // Mostly as large as the matrix and of one size; windows change between blocks now and then.
  void AddClient() {
    constexpr DType kTypes[] = {DType::kF32, DType::kF32, DType::kF32, DType::kF16, DType::kBF16, DType::kF64};
    constexpr double kScales[] = {0, 1e-30, 1e-6, 1, 1, 1, 1, 1, 1e4, 6e4};
    const DType dtype = kTypes[random_() % std::size(kTypes)];
    const bool whole = random_() % 4 != 0;
    const std::int64_t rows = whole ? kRows : 1 + random_() % kRows, columns = whole ? kColumns : 1 + random_() % 5;
    std::vector<double> values;
    double scale = kScales[random_() % std::size(kScales)];
    for (std::int64_t i = 0; i < rows * columns; ++i) {
      if (random_() % 60 == 0) scale = kScales[random_() % std::size(kScales)];
      values.push_back(scale * (static_cast<double>(random_() >> 11) * 0x1p-52 - 1));
    }
    std::string& bytes = bytes_.emplace_back(values.size() * SizeOf(dtype), '\0');
    FromDouble(dtype, values.data(), values.size(), bytes.data());
    ScaledView& view = views_.emplace_back();
    view.coefficient = static_cast<double>(1 + random_() % 200) * (random_() % 2 == 0 ? 1 : 1e-3);
    view.view.dtype = dtype;
    view.view.shape = {rows, columns};
    view.view.data = bytes;
  }

  std::mt19937_64 random_;
  std::deque<std::string> bytes_;
  std::deque<ScaledView> views_;
};

// The twin: each view measured, as the first of a matrix of its own, and then whole numbers added.
std::vector<double> Twin(const Cohort& cohort) {
  Matrix sum;
  for (const ScaledView* view : cohort.All()) {
    Matrix own;
    std::size_t failed;
    EXPECT_EQ(own.Add({view}, &failed), Folded::kDone);
    sum.Merge(own);
  }
  return sum.Values();
}

TEST(BlockTerms, ManyAtOnceAreTheSumOfEach) {
  std::mt19937_64 random(1);
  for (std::uint64_t seed = 0; seed < 1'500; ++seed) {
    const Cohort cohort(seed, 1 + random() % 12);
    const std::vector<double> expected = Twin(cohort);
    std::vector<const ScaledView*> views = cohort.All();
    for (int trial = 0; trial < 4; ++trial) {
      std::shuffle(views.begin(), views.end(), random);
      Matrix sum;
      for (std::size_t i = 0; i < views.size();) {
        const std::size_t some = std::min<std::size_t>(views.size() - i, 1 + random() % 9);
        std::size_t failed;
        ASSERT_EQ(sum.Add({views.begin() + i, views.begin() + i + some}, &failed), Folded::kDone);
        i += some;
      }
      ASSERT_EQ(sum.Values(), expected) << "seed " << seed << " trial " << trial;
    }
  }
}

TEST(BlockTerms, SayWhoIsNotFinite) {
  int spoiled = 0;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    Cohort cohort(seed, 6);
    const std::size_t client = seed % 6;
    if (cohort.dtype(client) != DType::kF32) continue;
    ++spoiled;
    cohort.Spoil(client, 0);
    Matrix empty, sum;
    std::size_t failed = 99;
    EXPECT_EQ(empty.Add(cohort.All(), &failed), Folded::kNotFinite);
    EXPECT_EQ(failed, client);
    const Cohort others(seed + 1000, 6);
    ASSERT_EQ(sum.Add(others.All(), &failed), Folded::kDone);
    const std::vector<double> before = sum.Values();
    ASSERT_EQ(sum.Add({cohort.All()[client]}, &failed), Folded::kNotFinite);
    EXPECT_EQ(failed, 0u);
    EXPECT_EQ(sum.Values(), before);  // The first block had it.
  }
  EXPECT_GT(spoiled, 50);
}

TEST(BlockTerms, WithoutMemoryThereIsNoPlane) {
  const Cohort cohort(1, 3);
  std::vector<BlockSource> sources;
  for (const ScaledView* view : cohort.All()) sources.push_back({view, 0});
  BlockTerms terms;
  BlockWindows windows;
  std::size_t failed;
  EXPECT_EQ(
      terms.Add(
          absl::MakeSpan(sources), Matrix::Block(0), windows, [](int) { return absl::Span<std::int64_t>(); }, &failed),
      Folded::kNoPlane);
}

}  // namespace
}  // namespace cairn::internal
