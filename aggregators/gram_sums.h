// A Gram matrix while it is added up, of terms that may come in any order.
#pragma once

#include <cstddef>

#include "aggregators/kernels/exact_sums.h"
#include "aggregators/kernels/small_matrix.h"

namespace cairn {

class GramSums {
 public:
  explicit GramSums(std::size_t columns) : columns_(columns), sums_(columns * (columns + 1) / 2) {}

  std::size_t columns() const { return columns_; }
  // One module's or tensor's products, [columns, columns], symmetric.
  void Add(const kernels::SmallMatrix& term) {
    for (std::size_t i = 0, at = 0; i < columns_; at += ++i) {
      sums_.Add(at, absl::MakeConstSpan(term.values).subspan(i * columns_, i + 1));
    }
  }
  kernels::SmallMatrix Total() const {
    kernels::SmallMatrix total = kernels::SmallMatrix::Zero(columns_, columns_);
    for (std::size_t i = 0, at = 0; i < columns_; ++i) {
      for (std::size_t j = 0; j <= i; ++j) total.at(i, j) = total.at(j, i) = sums_.Total(at++);
    }
    return total;
  }

  kernels::ExactSums& sums() { return sums_; }  // Of the lower triangle, row by row.

 private:
  const std::size_t columns_;
  kernels::ExactSums sums_;
};

}  // namespace cairn
