#include "aggregators/kernels/add_scaled.h"

#include <cassert>
#include <cstddef>
#include <type_traits>

namespace cairn::kernels {
namespace {

constexpr std::size_t kLanes = 8;

template <typename T>
[[gnu::always_inline]] inline void Add(double factor, const T* in, std::size_t count, double* sum) {
  for (std::size_t i = 0; i < count; ++i) sum[i] += factor * static_cast<double>(in[i]);
}

// sum + x * y. A product of float32 numbers is exact in float64: rounding once is rounding twice.
template <bool kFused>
[[gnu::always_inline]] inline double AddProduct(double sum, double x, double y) {
  if constexpr (kFused) return __builtin_fma(x, y, sum);
  return sum + x * y;
}

template <bool kFused, typename T>
[[gnu::always_inline]] inline PairSums Pair(const T* x, const double* y, std::size_t count) {
  double own[kLanes] = {}, inner[kLanes] = {}, apart[kLanes] = {};
  const auto add = [&](std::size_t i, std::size_t lane) {
    const double u = x[i], v = y[i], difference = u - v;
    own[lane] = AddProduct<kFused>(own[lane], u, u);
    inner[lane] = AddProduct<kFused>(inner[lane], u, v);
    apart[lane] += difference * difference;
  };
  std::size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) add(i + lane, lane);
  }
  for (std::size_t lane = 0; i < count; ++i, ++lane) add(i, lane);
  PairSums sums;
  for (std::size_t lane = 0; lane < kLanes; ++lane) {
    sums.own += own[lane];
    sums.inner += inner[lane];
    sums.apart += apart[lane];
  }
  return sums;
}

// Wider vectors and the same operations: the same bits.
template <typename T>
[[gnu::target("avx2"), gnu::noinline]] void AddAvx2(double factor, const T* in, std::size_t count, double* sum) {
  Add(factor, in, count, sum);
}
template <typename T>
[[gnu::target("avx2,fma"), gnu::noinline]] PairSums PairAvx2(const T* x, const double* y, std::size_t count) {
  return Pair<std::is_same_v<T, float>>(x, y, count);
}

bool HasAvx2AndFma() {
  static const bool has = __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0;
  return has;
}

template <typename T>
void AddAny(double factor, absl::Span<const T> in, absl::Span<double> sum) {
  assert(in.size() == sum.size());
  HasAvx2AndFma() ? AddAvx2(factor, in.data(), in.size(), sum.data()) : Add(factor, in.data(), in.size(), sum.data());
}

template <typename T>
PairSums PairAny(absl::Span<const T> x, absl::Span<const double> y) {
  assert(x.size() == y.size());
  return HasAvx2AndFma() ? PairAvx2(x.data(), y.data(), x.size()) : Pair<false>(x.data(), y.data(), x.size());
}

}  // namespace

void AddScaled(double factor, absl::Span<const float> in, absl::Span<double> sum) { AddAny(factor, in, sum); }
void AddScaled(double factor, absl::Span<const double> in, absl::Span<double> sum) { AddAny(factor, in, sum); }
PairSums PairSumsOf(absl::Span<const float> x, absl::Span<const double> y) { return PairAny(x, y); }
PairSums PairSumsOf(absl::Span<const double> x, absl::Span<const double> y) { return PairAny(x, y); }

}  // namespace cairn::kernels
