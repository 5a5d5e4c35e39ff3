#include "aggregators/kernels/window_sum.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cmath>
#include <cstddef>

#include "aggregators/kernels/window_unit.h"

namespace cairn::kernels {
namespace {

void Increase(std::int64_t& sum, std::uint64_t by) {
  sum = static_cast<std::int64_t>(static_cast<std::uint64_t>(sum) + by);
}

// Rounded once, from two halves that are exact: the bits of 2^52 + low and of 2^84 + 2^63 + 2^32 * high. (Nor is there
// a vector conversion the other way.)
double ToDouble(std::int64_t value) {
  const auto bits = static_cast<std::uint64_t>(value);
  const double low = std::bit_cast<double>((bits & 0xffff'ffff) | 0x4330'0000'0000'0000);
  const double high = std::bit_cast<double>((bits >> 32) ^ 0x4530'0000'8000'0000);
  return (high - 0x1.00000801p84) + low;  // 2^84 + 2^63 + 2^52
}

// Multiplying by a power of two is exact unless it leaves float64's exponents, so the order makes no difference to the
// bits. float32 takes factor * per_unit at once: with a greatest magnitude m = factor * x of the window, it is m *
// per_unit / x, where m * per_unit is in [2^32, 2^48) and x in [2^-149, 2^128): in [2^-96, 2^197), never an overflow
// nor subnormal. In kWindowMin, m may be smaller; there per_unit = 2^960, which makes even the least factor, 2^-1074,
// an ordinary number, and factor * x that would lose bits as a subnormal is far below half a unit either way.
struct Terms {
  double factor, per_unit;
  double operator()(float x) const { return factor * per_unit * x; }
  double operator()(double x) const { return factor * x * per_unit; }
};

struct Remainders {
  Terms terms;
  double operator()(double x) const {
    const double units = terms(x);
    return (units - ((units + kMagic) - kMagic)) * (1 << kWindowBits);  // Exact.
  }
};

template <typename T, typename Convert>
[[gnu::always_inline]] inline void AddRun(const T* in, std::size_t count, const Convert& convert, std::int64_t* sum) {
  for (std::size_t i = 0; i < count; ++i) Increase(sum[i], Rounded(convert(in[i])) - kRoundedZero);
}

template <typename T, typename Convert>
[[gnu::always_inline]] inline void AddBlock(absl::Span<const T> in, const ColumnBlock& block, const Convert& convert,
                                            absl::Span<std::int64_t> sum) {
  if (block.columns == block.width) return AddRun(in.data(), in.size(), convert, sum.data());
  const std::size_t rows = in.size() / block.columns;
  for (std::size_t i = 0; i < rows; ++i) {
    AddRun(in.data() + i * block.columns, block.columns, convert, sum.data() + i * block.width + block.at);
  }
}

using Planes = std::array<absl::Span<const std::int64_t>, kSumPlanes>;

// Bit k of kHas: whether plane k is there.
template <int kHas, typename T>
[[gnu::always_inline]] inline void ValuesFrom(const Planes& planes, int top, double divisor, absl::Span<T> out) {
  const double units[] = {UnitOf(top), UnitOf(top - 1), UnitOf(top - 2)};
  const std::int64_t *x = planes[0].data(), *y = planes[1].data(), *z = planes[2].data();
  T* to = out.data();
  const std::size_t count = out.size();
  for (std::size_t i = 0; i < count; ++i) {
    double sum = 0;
    if constexpr ((kHas & 4) != 0) sum = ToDouble(z[i]) * units[2];
    if constexpr ((kHas & 2) != 0) sum += ToDouble(y[i]) * units[1];
    if constexpr ((kHas & 1) != 0) sum += ToDouble(x[i]) * units[0];
    to[i] = static_cast<T>(sum / divisor);
  }
}

template <typename T>
[[gnu::always_inline]] inline void ValuesOf(const Planes& planes, int top, double divisor, absl::Span<T> out) {
  // The top plane holds the greatest terms: it is there whenever any is.
  if (planes[1].empty() && planes[2].empty()) return ValuesFrom<1>(planes, top, divisor, out);
  if (planes[2].empty()) return ValuesFrom<3>(planes, top, divisor, out);
  if (planes[1].empty()) return ValuesFrom<5>(planes, top, divisor, out);
  return ValuesFrom<7>(planes, top, divisor, out);
}

// Wider vectors and the same operations, so the same bits.
#if defined(__x86_64__)
template <typename T, typename Convert>
[[gnu::target("avx2"), gnu::noinline]] void AddBlockAvx2(absl::Span<const T> in, const ColumnBlock& block,
                                                         const Convert& convert, absl::Span<std::int64_t> sum) {
  AddBlock(in, block, convert, sum);
}
template <typename T>
[[gnu::target("avx2"), gnu::noinline]] void ValuesAvx2(const Planes& planes, int top, double divisor,
                                                       absl::Span<T> out) {
  ValuesOf(planes, top, divisor, out);
}
bool HasAvx2() {
  static const bool has = __builtin_cpu_supports("avx2") != 0;
  return has;
}
#endif

template <typename T, typename Convert>
void Add(absl::Span<const T> in, const ColumnBlock& block, const Convert& convert, absl::Span<std::int64_t> sum) {
  assert(block.columns > 0 && in.size() % block.columns == 0 && sum.size() == in.size() / block.columns * block.width);
#if defined(__x86_64__)
  if (HasAvx2()) return AddBlockAvx2(in, block, convert, sum);
#endif
  AddBlock(in, block, convert, sum);
}

template <typename T>
void From(const Planes& planes, int top, double divisor, absl::Span<T> out) {
#if defined(__x86_64__)
  if (HasAvx2()) return ValuesAvx2(planes, top, divisor, out);
#endif
  ValuesOf(planes, top, divisor, out);
}

}  // namespace

int WindowOf(double magnitude) {
  assert(std::isfinite(magnitude) && magnitude > 0);
  const int exponent = std::ilogb(magnitude);  // 2^exponent <= magnitude
  return std::max(exponent >> 4, kWindowMin);  // A quotient of 16, rounded down.
}
static_assert(kWindowBits == 1 << 4);

bool BlockWindows::Set(int top, const std::array<std::int8_t, kSumPlanes>& planes, int planes_made) {
  bool seen[kSumPlanes] = {};
  for (const std::int8_t plane : planes) {
    if (plane == kNone) continue;
    if (plane < 0 || plane >= planes_made || seen[plane]) return false;
    seen[plane] = true;
  }
  const bool none = !(seen[0] || seen[1] || seen[2]);
  if (none ? top != 0 : (planes[0] == kNone || top < kWindowMin || top > kWindowMax)) return false;
  top_ = static_cast<std::int8_t>(top);
  planes_ = planes;
  return true;
}

BlockWindows::Place BlockWindows::Enter(int window) {
  assert(window >= kWindowMin && window <= kWindowMax);
  if (empty()) top_ = static_cast<std::int8_t>(window);
  for (; top_ < window && !empty(); ++top_) planes_ = {kNone, planes_[0], planes_[1]};
  top_ = static_cast<std::int8_t>(std::max<int>(top_, window));
  return PlaceOf(window);
}

BlockWindows::Place BlockWindows::EnterBelow(int window) { return PlaceOf(window - 1); }

BlockWindows::Place BlockWindows::PlaceOf(int window) {
  const int below = top_ - window;
  if (below >= kSumPlanes) return {};
  if (planes_[below] != kNone) return {planes_[below], false};
  std::int8_t free = 0;
  while (free == planes_[0] || free == planes_[1] || free == planes_[2]) ++free;
  planes_[below] = free;
  return {free, true};
}

void AddTerms(absl::Span<const float> in, const ColumnBlock& block, double factor, int window,
              absl::Span<std::int64_t> sum) {
  Add(in, block, Terms{factor, PerUnitOf(window)}, sum);
}
void AddTerms(absl::Span<const double> in, const ColumnBlock& block, double factor, int window,
              absl::Span<std::int64_t> sum) {
  Add(in, block, Terms{factor, PerUnitOf(window)}, sum);
}
void AddRemainders(absl::Span<const double> in, const ColumnBlock& block, double factor, int window,
                   absl::Span<std::int64_t> below) {
  Add(in, block, Remainders{{factor, PerUnitOf(window)}}, below);
}

void AddSums(absl::Span<const std::int64_t> other, absl::Span<std::int64_t> sum) {
  assert(other.size() == sum.size());
  const std::int64_t* from = other.data();
  for (std::int64_t& value : sum) Increase(value, static_cast<std::uint64_t>(*from++));
}

void FromWindows(const Planes& planes, int top, double divisor, absl::Span<float> out) {
  From(planes, top, divisor, out);
}
void FromWindows(const Planes& planes, int top, double divisor, absl::Span<double> out) {
  From(planes, top, divisor, out);
}

}  // namespace cairn::kernels
