#include "aggregators/kernels/twofold_product.h"

namespace cairn::kernels {
namespace {

// One row: high + low += x * (right_high + right_low).
struct Row {
  double* high;
  double* low;
  std::size_t columns;
};

[[gnu::always_inline]] inline void AddScaled(double x, const double* right_high, const double* right_low,
                                             const Row& row) {
  double* __restrict high = row.high;
  double* __restrict low = row.low;
  for (std::size_t j = 0; j < row.columns; ++j) {
    const double product = x * right_high[j];
    const double product_error = __builtin_fma(x, right_high[j], -product) + x * right_low[j];
    const double sum = high[j] + product;
    const double added = sum - high[j];
    low[j] += ((high[j] - (sum - added)) + (product - added)) + product_error;
    high[j] = sum;
  }
}

[[gnu::always_inline]] inline void Multiply(absl::Span<const double> left, const Twofold& right, std::size_t inner,
                                            std::size_t columns, Twofold& out) {
  for (std::size_t i = 0; i * inner < left.size(); ++i) {
    const Row row{out.high.data() + i * columns, out.low.data() + i * columns, columns};
    for (std::size_t k = 0; k < inner; ++k) {
      AddScaled(left[i * inner + k], right.high.data() + k * columns, right.low.data() + k * columns, row);
    }
    for (std::size_t j = 0; j < columns; ++j) {
      const double sum = row.high[j] + row.low[j];
      row.low[j] -= sum - row.high[j];
      row.high[j] = sum;
    }
  }
}

#if defined(__x86_64__)
// The same results: what a processor without the instruction computes in software is as exact.
[[gnu::target("avx2,fma")]] void MultiplyFma(absl::Span<const double> left, const Twofold& right, std::size_t inner,
                                             std::size_t columns, Twofold& out) {
  Multiply(left, right, inner, columns, out);
}
#endif

}  // namespace

Twofold TwofoldProduct(absl::Span<const double> left, const Twofold& right, std::size_t inner, std::size_t columns) {
  const std::size_t size = left.size() / inner * columns;
  Twofold out{std::vector<double>(size), std::vector<double>(size)};
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    MultiplyFma(left, right, inner, columns, out);
    return out;
  }
#endif
  Multiply(left, right, inner, columns, out);
  return out;
}

}  // namespace cairn::kernels
