// Norms of columns, and columns brought to at most a given norm.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "aggregators/kernels/small_matrix.h"

namespace cairn {

// ||x_i|| of every column of the Gram matrix.
inline std::vector<double> NormsOf(const kernels::SmallMatrix& gram) {
  std::vector<double> norms;
  for (std::size_t i = 0; i < gram.rows; ++i) norms.push_back(std::sqrt(std::max(0.0, gram.at(i, i))));
  return norms;
}

// The diagonal mixing matrix of x_i min(1, bound / ||x_i||). A zero column stays as it is.
inline kernels::SmallMatrix ClippedTo(double bound, const std::vector<double>& norms) {
  auto mixing = kernels::SmallMatrix::Zero(norms.size(), norms.size());
  for (std::size_t i = 0; i < norms.size(); ++i) mixing.at(i, i) = norms[i] > bound ? bound / norms[i] : 1;
  return mixing;
}

}  // namespace cairn
