#include "aggregators/kernels/sorting_network.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace cairn::kernels {
namespace {

std::vector<int> Apply(const std::vector<Comparator>& network, std::vector<int> values) {
  for (const Comparator& comparator : network) {
    int &low = values[comparator.low], &high = values[comparator.high];
    if (high < low) std::swap(low, high);
  }
  return values;
}

// A network that sorts every list of zeros and ones sorts everything (Knuth, 5.3.4, theorem Z).
TEST(SortingNetwork, SortsTheRowsThatAreAskedFor) {
  for (std::size_t rows = 1; rows <= 9; ++rows) {
    for (std::size_t first = 0; first < rows; ++first) {
      for (std::size_t end = first + 1; end <= rows; ++end) {
        const std::vector<Comparator> network = SortingNetwork(rows, first, end);
        for (unsigned bits = 0; bits < 1u << rows; ++bits) {
          std::vector<int> values;
          for (std::size_t i = 0; i < rows; ++i) values.push_back(static_cast<int>(bits >> i & 1));
          const std::vector<int> out = Apply(network, values);
          std::sort(values.begin(), values.end());
          ASSERT_TRUE(std::equal(out.begin() + first, out.begin() + end, values.begin() + first))
              << rows << " rows, " << first << " to " << end << ", bits " << bits;
        }
      }
    }
  }
}

TEST(SortingNetwork, HasNoMoreComparatorsThanItNeeds) {
  EXPECT_TRUE(SortingNetwork(1, 0, 1).empty());
  EXPECT_EQ(SortingNetwork(16, 0, 16).size(), 63u);
  EXPECT_EQ(SortingNetwork(64, 0, 64).size(), 543u);
  EXPECT_EQ(SortingNetwork(16, 0, 1).size(), 15u);  // The least of them: one less than there are.
  EXPECT_LT(SortingNetwork(64, 31, 33).size(), 543u * 5 / 6);
}

}  // namespace
}  // namespace cairn::kernels
