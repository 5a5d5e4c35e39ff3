#include "aggregators/kernels/sorting_network.h"

#include <algorithm>
#include <bit>

namespace cairn::kernels {
namespace {

// The network for a power of two of rows, of which those from `rows` on hold infinity, which no comparator moves.
// Halves are sorted one after the other, so that a small one is done while it is in the cache.
class OddEvenMergeSort {
 public:
  OddEvenMergeSort(std::size_t rows, std::size_t run)
      : rows_(static_cast<std::uint32_t>(rows)), run_(static_cast<std::uint32_t>(run)) {
    Sort(0, std::bit_ceil(rows_));
  }
  const std::vector<Comparator>& network() const { return network_; }

 private:
  void Compare(std::uint32_t low, std::uint32_t high) {
    if (high < rows_) network_.push_back({low, high});
  }

  void Sort(std::uint32_t first, std::uint32_t count) {
    if (count < 2 || first >= rows_ || (count <= run_ && first + run_ <= rows_)) return;
    Sort(first, count / 2);
    Sort(first + count / 2, count / 2);
    Merge(first, count, 1);
  }

  // Every `step`th of `count` rows: both halves are sorted.
  void Merge(std::uint32_t first, std::uint32_t count, std::uint32_t step) {
    if (first >= rows_) return;
    const std::uint32_t next = 2 * step;
    if (next >= count) return Compare(first, first + step);
    Merge(first, count, next);
    Merge(first + step, count, next);
    for (std::uint32_t row = first + step; row + step < first + count; row += next) Compare(row, row + step);
  }

  std::uint32_t rows_, run_;
  std::vector<Comparator> network_;
};

}  // namespace

std::vector<Comparator> SortingNetwork(std::size_t rows, std::size_t first, std::size_t end, std::size_t run) {
  const OddEvenMergeSort sort(rows, run);
  std::vector<bool> needed(rows);
  for (std::size_t row = first; row < end; ++row) needed[row] = true;
  std::vector<Comparator> kept;
  for (auto at = sort.network().rbegin(); at != sort.network().rend(); ++at) {
    if (!needed[at->low] && !needed[at->high]) continue;
    kept.push_back({at->low, at->high, needed[at->low], needed[at->high]});
    needed[at->low] = needed[at->high] = true;
  }
  std::reverse(kept.begin(), kept.end());
  return kept;
}

}  // namespace cairn::kernels
