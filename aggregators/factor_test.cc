#include "aggregators/factor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <deque>
#include <limits>
#include <random>
#include <string>

namespace cairn {
namespace {

using ::testing::ElementsAre;

// Keeps the bytes of views alive.
class FactorTest : public ::testing::Test {
 protected:
  TensorView View(std::int64_t rows, std::int64_t columns, const std::vector<float>& values,
                  DType dtype = DType::kF32) {
    std::string& bytes = bytes_.emplace_back(values.size() * SizeOf(dtype), '\0');
    FromFloat(dtype, values.data(), values.size(), bytes.data());
    return {.name = "x", .dtype = dtype, .shape = {rows, columns}, .data = bytes};
  }
  TensorView Random(std::int64_t rows, std::int64_t columns, DType dtype) {
    std::vector<float> values(rows * columns);
    for (float& value : values) value = static_cast<float>(random_() >> 40) * 0x1p-23f - 1;
    return View(rows, columns, values, dtype);
  }

  std::mt19937_64 random_{1};
  std::deque<std::string> bytes_;
};

TEST_F(FactorTest, RowsAreScaledAndBelowOneAnother) {
  const FactorPtr rows = RowsOf({{1, View(1, 2, {1, 2})}, {0.5, View(2, 2, {3, 4, 5, 6}, DType::kBF16)}});
  EXPECT_EQ(rows->rows(), 3);
  EXPECT_THAT(ReadAll(*rows), ElementsAre(1, 2, 1.5, 2, 2.5, 3));
}

TEST_F(FactorTest, ColumnsAreScaledAndSideBySide) {
  const FactorPtr columns = ColumnsOf({{2, View(2, 1, {1, 2})}, {-1, View(2, 2, {3, 4, 5, 6}, DType::kF16)}});
  EXPECT_EQ(columns->columns(), 3);
  EXPECT_THAT(ReadAll(*columns), ElementsAre(2, -3, -4, 4, -5, -6));
}

TEST_F(FactorTest, SumsArePaddedWithZeros) {
  const FactorPtr sum = SumOf({{0.25, View(1, 2, {4, 8})}, {0.5, View(2, 1, {2, 6})}}, 2, 2);
  EXPECT_THAT(ReadAll(*sum), ElementsAre(2, 2, 3, 0));
}

TEST_F(FactorTest, ASumOfOneIsItself) {
  EXPECT_THAT(ReadAll(*SumOf({{1, View(2, 2, {1e20f, 1, 1e-3f, 1e-30f})}}, 2, 2)),
              ElementsAre(1e20f, 1, 1e-3f, 1e-30f));
}

TEST_F(FactorTest, SumsOfValuesThatAreNotFiniteSaySo) {
  const FactorPtr sum =
      SumOf({{1, View(1, 2, {1, std::numeric_limits<float>::infinity()})}, {1, View(1, 2, {1, 2})}}, 1, 2);
  EXPECT_TRUE(std::isnan(ReadAll(*sum)[0]));
  const auto ignore = [](absl::Span<const float>) { return absl::OkStatus(); };
  EXPECT_EQ(ForEachBlock(*sum, ignore).code(), absl::StatusCode::kOutOfRange);
}

TEST_F(FactorTest, AListIsAColumn) {
  TensorView list = View(3, 1, {1, 2, 3});
  list.shape = {3};
  EXPECT_THAT(ReadAll(*SumOf({{2, list}}, 3, 1)), ElementsAre(2, 4, 6));
}

TEST_F(FactorTest, OthersAreComposed) {
  const FactorPtr x = ValuesOf(std::vector<float>{1, 2, 3, 4}, 2, 2);
  const FactorPtr y = ValuesOf(std::vector<double>{5, 6}, 1, 2);
  const FactorPtr below = Below({x, y});
  EXPECT_THAT(ReadAll(*below), ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_THAT(ReadAll(*Beside({below, below})), ElementsAre(1, 2, 1, 2, 3, 4, 3, 4, 5, 6, 5, 6));
  EXPECT_THAT(ReadAll(*Part(below, 1, 2, 1)), ElementsAre(3, 5));
  EXPECT_THAT(ReadAllDouble(*Part(below, 1, 2, 2)), ElementsAre(3, 4, 5, 6));
}

// Every kind, every type, sizes beyond a tile: read in blocks it is what it is read as a whole, and close to the plain
// sum in float64.
TEST_F(FactorTest, BlocksDoNotMatter) {
  for (const DType dtype : {DType::kF64, DType::kF32, DType::kF16, DType::kBF16}) {
    std::vector<ScaledView> tall, wide;
    for (int i = 0; i < 3; ++i) {
      tall.push_back({0.3 * i - 0.1, Random(700, 19, dtype)});
      wide.push_back({1.0 / (3 + i), Random(700, 11 + i, dtype)});
    }
    for (const FactorPtr& factor : {RowsOf(tall), ColumnsOf(wide), SumOf(tall, 700, 19), SumOf(wide, 701, 16),
                                    Part(Beside({RowsOf(tall), RowsOf(tall)}), 5, 1000, 30)}) {
      const std::vector<float> whole = ReadAll(*factor);
      std::vector<float> blocks(whole.size());
      for (std::int64_t row = 0; row < factor->rows(); row += 37) {
        const std::int64_t rows = std::min<std::int64_t>(37, factor->rows() - row);
        factor->Read(row, absl::MakeSpan(blocks).subspan(row * factor->columns(), rows * factor->columns()));
      }
      ASSERT_EQ(std::memcmp(whole.data(), blocks.data(), whole.size() * sizeof(float)), 0);
      const std::vector<double> wide_values = ReadAllDouble(*factor);
      for (std::size_t i = 0; i < whole.size(); ++i) ASSERT_NEAR(whole[i], wide_values[i], 1e-7);
      std::vector<float> visited;
      ASSERT_TRUE(ForEachBlock(*factor, [&](absl::Span<const float> block) {
                    visited.insert(visited.end(), block.begin(), block.end());
                    return absl::OkStatus();
                  }).ok());
      ASSERT_EQ(visited, whole);
    }
  }
}

TEST_F(FactorTest, TheVisitorsErrorEndsTheReading) {
  int calls = 0;
  const absl::Status status =
      ForEachBlock(*ValuesOf(std::vector<float>(100'000, 1), 100'000, 1), [&](absl::Span<const float>) {
        ++calls;
        return absl::DataLossError("disk on fire");
      });
  EXPECT_EQ(status, absl::DataLossError("disk on fire"));
  EXPECT_EQ(calls, 1);
}

}  // namespace
}  // namespace cairn
