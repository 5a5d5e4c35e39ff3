#include "cli/lora_norm.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace cairn {
namespace {

using Values = std::vector<double>;

Values ValuesOf(const TensorView& tensor) {
  Values values(static_cast<std::size_t>(tensor.elements()));
  ToDouble(tensor.dtype, tensor.data.data(), values.size(), values.data());
  return values;
}

Values Transposed(const Values& matrix, std::size_t rows, std::size_t columns) {
  Values transposed(matrix.size());
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j < columns; ++j) transposed[j * rows + i] = matrix[i * columns + j];
  }
  return transposed;
}

// core * a, with core [rank, rank] and a [rank, d_in].
Values Mixed(const Values& core, const Values& a, std::size_t rank, std::size_t d_in) {
  Values product(a.size());
  for (std::size_t i = 0; i < rank; ++i) {
    for (std::size_t k = 0; k < rank; ++k) {
      for (std::size_t j = 0; j < d_in; ++j) product[i * d_in + j] += core[i * rank + k] * a[k * d_in + j];
    }
  }
  return product;
}

// Four sums that do not wait for each other.
double Dot(const double* x, const double* y, std::size_t count) {
  double sums[4] = {};
  std::size_t i = 0;
  for (; i + 4 <= count; i += 4) {
    for (std::size_t lane = 0; lane < 4; ++lane) sums[lane] += x[i + lane] * y[i + lane];
  }
  for (; i < count; ++i) sums[0] += x[i] * y[i];
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

// Of a module without groups.
double SquaredNormOfProduct(const LoraModule& module) {
  const auto rank = static_cast<std::size_t>(module.rank);
  const auto d_in = static_cast<std::size_t>(module.d_in);
  const auto d_out = static_cast<std::size_t>(module.d_out);
  Values a = ValuesOf(module.a);
  if (module.core) a = Mixed(ValuesOf(*module.core), a, rank, d_in);
  const Values b = Transposed(ValuesOf(module.b), d_out, rank);
  double sum = 0;
  for (std::size_t i = 0; i < rank; ++i) {
    for (std::size_t j = i; j < rank; ++j) {
      const double term = Dot(&a[i * d_in], &a[j * d_in], d_in) * Dot(&b[i * d_out], &b[j * d_out], d_out);
      sum += i == j ? term : 2 * term;
    }
  }
  return sum < 0 ? 0 : sum;  // Rounding may leave a tiny negative sum where terms cancel; NaN passes.
}

}  // namespace

double FrobeniusNormOfProduct(const LoraModule& module) {
  double sum = 0;
  for (std::int64_t group = 0; group < module.layer.groups; ++group) {
    sum += SquaredNormOfProduct(GroupOf(module, group));
  }
  return std::sqrt(sum);
}

double NormOf(const TensorView& tensor) {
  constexpr std::size_t kBlock = 1 << 15;
  Values block(kBlock);
  double sum = 0;
  for (auto left = static_cast<std::size_t>(tensor.elements()), at = std::size_t{0}; left > 0;) {
    const std::size_t count = std::min(left, kBlock);
    ToDouble(tensor.dtype, tensor.data.data() + at * SizeOf(tensor.dtype), count, block.data());
    sum += Dot(block.data(), block.data(), count);
    at += count;
    left -= count;
  }
  return std::sqrt(sum);
}

}  // namespace cairn
