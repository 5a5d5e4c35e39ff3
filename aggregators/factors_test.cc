#include "aggregators/factors.h"

#include <gtest/gtest.h>

#include <vector>

#include "adapter/dtype.h"

namespace cairn {
namespace {

// A [rows, columns] matrix that counts up from 0, in `dtype`.
std::string Counting(DType dtype, std::int64_t elements) {
  std::vector<float> values(elements);
  for (std::int64_t i = 0; i < elements; ++i) values[i] = static_cast<float>(i % 128);
  std::string bytes(elements * SizeOf(dtype), '\0');
  FromFloat(dtype, values.data(), values.size(), bytes.data());
  return bytes;
}

class ForEachBlockTest : public ::testing::TestWithParam<std::tuple<DType, std::int64_t, std::int64_t>> {};

TEST_P(ForEachBlockTest, VisitsEveryElementOnceInWholeRows) {
  const auto [dtype, rows, columns] = GetParam();
  // One byte of padding in front: views into a file need not be aligned.
  const std::string bytes = "x" + Counting(dtype, rows * columns);
  const TensorView view{"t", dtype, {rows, columns}, absl::string_view(bytes).substr(1)};
  std::size_t seen = 0;
  ForEachBlock(view, columns, [&](std::size_t first, absl::Span<const float> block) {
    ASSERT_EQ(first, seen);
    ASSERT_EQ(block.size() % columns, 0u);
    for (const float value : block) ASSERT_EQ(value, static_cast<float>(seen++ % 128));
  });
  EXPECT_EQ(seen, static_cast<std::size_t>(rows * columns));
}

INSTANTIATE_TEST_SUITE_P(All, ForEachBlockTest,
                         ::testing::Combine(::testing::Values(DType::kF32, DType::kF16, DType::kBF16),
                                            ::testing::Values(1, 5, 3000), ::testing::Values(1, 3, 5000)));

}  // namespace
}  // namespace cairn
