#include "aggregators/kernels/fixed_point.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstddef>
#include <cstring>

namespace cairn::kernels {
namespace {

// A term uses 50 bits and its sign, so that the processor's vector units can convert it: adding 1.5 * 2^52 to a float64
// below 2^51 leaves the rounded integer in its low bits. (Before AVX-512 there is no vector conversion to int64.)
constexpr int kTermBits = 50;
constexpr double kMagic = 6'755'399'441'055'744.0;  // 1.5 * 2^52
// Keeps 2^fraction_bits, and its inverse, ordinary float64 numbers.
constexpr int kFractionBitsMax = 1000;

std::int64_t BitsOf(double value) {
  std::int64_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

template <typename T>
void AddRun(const T* in, std::size_t count, double factor, double unit, std::int64_t* sum) {
  const std::int64_t magic = BitsOf(kMagic);
  // In this order: factor * unit may overflow where the terms are small because the values are.
  for (std::size_t i = 0; i < count; ++i) sum[i] += BitsOf(factor * in[i] * unit + kMagic) - magic;
}

template <typename T>
void Add(absl::Span<const T> in, const ColumnBlock& block, double factor, int fraction_bits,
         absl::Span<std::int64_t> sum) {
  const double unit = std::ldexp(1.0, fraction_bits);
  if (block.columns == block.width) return AddRun(in.data(), in.size(), factor, unit, sum.data());
  const std::size_t rows = in.size() / block.columns;
  assert(in.size() == rows * block.columns && sum.size() == rows * block.width);
  for (std::size_t i = 0; i < rows; ++i) {
    AddRun(in.data() + i * block.columns, block.columns, factor, unit, sum.data() + i * block.width + block.at);
  }
}

template <typename T>
void From(absl::Span<const std::int64_t> sum, int fraction_bits, absl::Span<T> out) {
  assert(sum.size() == out.size());
  const double unit = std::ldexp(1.0, -fraction_bits);
  for (std::size_t i = 0; i < sum.size(); ++i) out[i] = static_cast<T>(static_cast<double>(sum[i]) * unit);
}

}  // namespace

int FractionBits(double bound) {
  assert(std::isfinite(bound) && bound >= 0);
  if (bound == 0) return 0;
  int exponent;
  std::frexp(bound, &exponent);  // bound <= 2^exponent
  return std::clamp(kTermBits - exponent, -kFractionBitsMax, kFractionBitsMax);
}

void AddFixed(absl::Span<const float> in, const ColumnBlock& block, double factor, int fraction_bits,
              absl::Span<std::int64_t> sum) {
  Add(in, block, factor, fraction_bits, sum);
}
void AddFixed(absl::Span<const double> in, const ColumnBlock& block, double factor, int fraction_bits,
              absl::Span<std::int64_t> sum) {
  Add(in, block, factor, fraction_bits, sum);
}

void FromFixed(absl::Span<const std::int64_t> sum, int fraction_bits, absl::Span<float> out) {
  From(sum, fraction_bits, out);
}
void FromFixed(absl::Span<const std::int64_t> sum, int fraction_bits, absl::Span<double> out) {
  From(sum, fraction_bits, out);
}

}  // namespace cairn::kernels
