#include "aggregators/kernels/congruence.h"

#include <utility>

#include "aggregators/kernels/small_product.h"

namespace cairn::kernels {

namespace {

// Exactly symmetric: the mean of both orders of summing, so that equal columns of a mixing have equal rows to the last
// bit, and ties stay ties.
SmallMatrix Symmetric(SmallMatrix matrix) {
  for (std::size_t i = 0; i < matrix.rows; ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      matrix.at(i, j) = matrix.at(j, i) = 0.5 * matrix.at(i, j) + 0.5 * matrix.at(j, i);
    }
  }
  return matrix;
}

}  // namespace

SmallMatrix Congruent(const SmallMatrix& gram, const SmallMatrix& mixing) {
  return Symmetric(TransposedProduct(mixing, Product(gram, mixing)));
}

SmallMatrix MeasuredFrom(const SmallMatrix& gram, std::size_t origin, std::size_t moved) {
  const std::size_t n = gram.rows;
  const auto is_moved = [&](std::size_t i) { return i < moved ? 1.0 : 0.0; };
  SmallMatrix result = SmallMatrix::Zero(n - 1, n - 1);
  for (std::size_t i = 0, row = 0; i < n; ++i) {
    if (i == origin) continue;
    for (std::size_t j = 0, column = 0; j < n; ++j) {
      if (j == origin) continue;
      // In pairs of numbers that are alike.
      result.at(row, column++) = (gram.at(i, j) - is_moved(j) * gram.at(i, origin)) -
                                 is_moved(i) * (gram.at(origin, j) - is_moved(j) * gram.at(origin, origin));
    }
    ++row;
  }
  return Symmetric(std::move(result));
}

SmallMatrix Selected(const SmallMatrix& gram, absl::Span<const std::size_t> kept) {
  SmallMatrix result = SmallMatrix::Zero(kept.size(), kept.size());
  for (std::size_t i = 0; i < kept.size(); ++i) {
    for (std::size_t j = 0; j < kept.size(); ++j) result.at(i, j) = gram.at(kept[i], kept[j]);
  }
  return result;
}

}  // namespace cairn::kernels
