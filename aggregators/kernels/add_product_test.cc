#include "aggregators/kernels/add_product.h"

#include <gtest/gtest.h>

#include <vector>

namespace cairn::kernels {
namespace {

// The twin: three loops.
std::vector<double> Slow(const std::vector<double>& left, const std::vector<double>& right, std::int64_t rank,
                         std::int64_t columns, std::vector<double> w) {
  for (std::size_t i = 0; i < w.size() / columns; ++i) {
    for (std::int64_t j = 0; j < columns; ++j) {
      for (std::int64_t r = 0; r < rank; ++r) w[i * columns + j] += left[i * rank + r] * right[r * columns + j];
    }
  }
  return w;
}

std::vector<double> Some(std::size_t count, int seed) {
  std::vector<double> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = static_cast<double>((i * 37 + seed * 11) % 101) / 16 - 3;
  return values;
}

TEST(AddProduct, IsTheObviousOne) {
  const std::int64_t rows = 5, rank = 3, columns = 7;
  const std::vector<double> left = Some(rows * rank, 1), right = Some(rank * columns, 2), w = Some(rows * columns, 3);
  const std::vector<double> expected = Slow(left, right, rank, columns, w);
  std::vector<double> sum = w;
  ASSERT_TRUE(AddProduct(left, right, false, rank, columns, absl::MakeSpan(sum)).ok());
  for (std::size_t i = 0; i < sum.size(); ++i) EXPECT_DOUBLE_EQ(sum[i], expected[i]) << i;
  std::vector<double> turned(right.size());
  for (std::int64_t r = 0; r < rank; ++r) {
    for (std::int64_t j = 0; j < columns; ++j) turned[j * rank + r] = right[r * columns + j];
  }
  sum = w;
  ASSERT_TRUE(AddProduct(left, turned, true, rank, columns, absl::MakeSpan(sum)).ok());
  for (std::size_t i = 0; i < sum.size(); ++i) EXPECT_DOUBLE_EQ(sum[i], expected[i]) << i;
}

}  // namespace
}  // namespace cairn::kernels
