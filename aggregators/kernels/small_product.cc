#include "aggregators/kernels/small_product.h"

namespace cairn::kernels {
namespace {

// Row i of `out` += factor * row k of `x`.
void AddRow(double factor, const SmallMatrix& x, std::size_t k, SmallMatrix& out, std::size_t i) {
  if (factor == 0) return;
  const double* from = x.values.data() + k * x.columns;
  double* to = out.values.data() + i * out.columns;
  for (std::size_t j = 0; j < x.columns; ++j) to[j] += factor * from[j];
}

}  // namespace

SmallMatrix Product(const SmallMatrix& left, const SmallMatrix& right) {
  SmallMatrix out = SmallMatrix::Zero(left.rows, right.columns);
  for (std::size_t i = 0; i < left.rows; ++i) {
    for (std::size_t k = 0; k < left.columns; ++k) AddRow(left.at(i, k), right, k, out, i);
  }
  return out;
}

SmallMatrix TransposedProduct(const SmallMatrix& left, const SmallMatrix& right) {
  SmallMatrix out = SmallMatrix::Zero(left.columns, right.columns);
  for (std::size_t k = 0; k < left.rows; ++k) {
    for (std::size_t i = 0; i < left.columns; ++i) AddRow(left.at(k, i), right, k, out, i);
  }
  return out;
}

}  // namespace cairn::kernels
