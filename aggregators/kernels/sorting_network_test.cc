#include "aggregators/kernels/sorting_network.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "absl/types/span.h"

namespace cairn::kernels {
namespace {

// What a comparator need not write becomes a value that no list has.
std::vector<int> Apply(absl::Span<const Comparator> network, std::vector<int> values) {
  for (const Comparator& comparator : network) {
    int &low = values[comparator.low], &high = values[comparator.high];
    if (high < low) std::swap(low, high);
    if (!comparator.needs_low) low = 9;
    if (!comparator.needs_high) high = -9;
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

// The same lists, of which the first runs have been sorted.
TEST(SortingNetwork, MergesRunsThatAreSorted) {
  for (std::size_t rows = 1; rows <= 13; ++rows) {
    for (const std::size_t run : {2, 4, 8}) {
      const std::size_t first = rows / 3, end = rows - first;
      const std::vector<Comparator> network = SortingNetwork(rows, 0, rows, run);
      const std::vector<Comparator> middle = SortingNetwork(rows, first, end, run);
      for (unsigned bits = 0; bits < 1u << rows; ++bits) {
        std::vector<int> values;
        for (std::size_t i = 0; i < rows; ++i) values.push_back(static_cast<int>(bits >> i & 1));
        for (std::size_t at = 0; at + run <= rows; at += run) {
          std::sort(values.begin() + at, values.begin() + at + run);
        }
        const std::vector<int> sorted = Apply(network, values), some = Apply(middle, values);
        ASSERT_TRUE(std::is_sorted(sorted.begin(), sorted.end())) << rows << " rows, runs of " << run << ", " << bits;
        ASSERT_TRUE(std::equal(some.begin() + first, some.begin() + end, sorted.begin() + first))
            << rows << " rows, runs of " << run << ", bits " << bits;
      }
    }
  }
  EXPECT_TRUE(SortingNetwork(8, 0, 8, 8).empty());
}

TEST(SortingNetwork, OfAnOctetIsTheOneInTheHeader) {
  const std::vector<Comparator> network = SortingNetwork(kOctet, 0, kOctet);
  EXPECT_TRUE(std::equal(network.begin(), network.end(), kSortOctet.begin(), kSortOctet.end()));
}

TEST(SortingNetwork, HasNoMoreComparatorsThanItNeeds) {
  EXPECT_TRUE(SortingNetwork(1, 0, 1).empty());
  EXPECT_EQ(SortingNetwork(16, 0, 16).size(), 63u);
  EXPECT_EQ(SortingNetwork(64, 0, 64).size(), 543u);
  EXPECT_EQ(SortingNetwork(16, 0, 1).size(), 15u);  // The least of them: one less than there are.
  EXPECT_LT(SortingNetwork(64, 31, 33).size(), 543u * 5 / 6);
  std::size_t written = 0;
  for (const Comparator& comparator : SortingNetwork(16, 7, 9, 8))
    written += comparator.needs_low + comparator.needs_high;
  EXPECT_EQ(written, 16u);  // By 15 comparators.
}

}  // namespace
}  // namespace cairn::kernels
