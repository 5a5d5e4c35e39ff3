// Inner products of long columns, all pairs of them at once, in float64: a block of every column is brought into the
// cache, and multiplied there with all others.
#pragma once

#include <cstddef>
#include <vector>

#include "absl/types/span.h"
#include "aggregators/kernels/small_matrix.h"

namespace cairn::kernels {

class DenseGram {
 public:
  static constexpr std::size_t kBlock = 256;  // Elements of a column: 32 KiB for 16 columns.

  enum class Values {
    kSingle,  // Every value is a float32 number: products are exact, so that fused instructions round the same.
    kDouble,  // Any values.
  };
  DenseGram(std::size_t columns, Values values);

  // Where the next elements of column i go.
  absl::Span<double> column(std::size_t i) { return {block_[i * kStride / kLanes].value, kBlock}; }

  // Adds the products of the first `count` <= kBlock elements of all columns. `next` says where elements that will be
  // wanted next lie in memory, one run of kBlock * next_size bytes a column, or is empty: they are fetched meanwhile.
  void Add(std::size_t count, absl::Span<const char* const> next = {}, std::size_t next_size = 0);

  // <x_i, x_j> of all that was added. Every eighth product is added up, then the eight sums: the same bits on every
  // processor. A value that is not finite shows in its own row and column only.
  SmallMatrix Sums() const;

 private:
  static constexpr std::size_t kLanes = 8;
  // Not a power of two: columns at such distances would compete for few cache lines.
  static constexpr std::size_t kStride = kBlock + kLanes;
  struct alignas(kLanes * sizeof(double)) Lanes {
    double value[kLanes];
  };

  std::size_t columns_, padded_;  // Padded by columns of zeros to whole tiles.
  Values values_;
  std::vector<Lanes> block_;  // [padded, kStride]
  std::vector<Lanes> sums_;   // [padded, padded]; what is right of the diagonal means nothing.
};

}  // namespace cairn::kernels
