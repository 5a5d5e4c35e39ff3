// A matrix with as many rows as there are clients, or few more: Gram matrices, mixing matrices, eigenvectors.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

namespace cairn::kernels {

// Row-major, float64.
struct SmallMatrix {
  std::size_t rows = 0, columns = 0;
  std::vector<double> values;

  static SmallMatrix Zero(std::size_t rows, std::size_t columns) {
    return {rows, columns, std::vector<double>(rows * columns)};
  }
  double& at(std::size_t i, std::size_t j) { return values[i * columns + j]; }
  double at(std::size_t i, std::size_t j) const { return values[i * columns + j]; }
};

// ||x_i - x_j||^2 from <x_i, x_j>; never below 0, which rounding may give.
inline double SquaredDistance(const SmallMatrix& gram, std::size_t i, std::size_t j) {
  return std::max(0.0, (gram.at(i, i) - gram.at(i, j)) + (gram.at(j, j) - gram.at(j, i)));
}

}  // namespace cairn::kernels
