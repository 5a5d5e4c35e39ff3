#include "aggregators/kernels/coordinate.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

namespace cairn::kernels {
namespace {

// Coordinates at a time. Wide enough for vector units, narrow enough that the rows of 64 clients stay in the first
// cache.
constexpr std::size_t kWidth = 64;
constexpr std::size_t kLanes = 16;            // Sums that stay in registers.
constexpr std::size_t kLineBytes = 64;        // Of a cache.
constexpr int kRead = 0, kKeep = 2;           // As __builtin_prefetch has them.
constexpr std::uintptr_t kAheadBytes = 2048;  // Before their turn values are asked for.

// How many of the lowest and of the highest are not in the middle.
std::size_t OutsideOf(const CoordinateRule& rule, std::size_t columns) {
  switch (rule.kind) {
    case CoordinateRule::Kind::kTrimmedMean:
      return rule.count;
    case CoordinateRule::Kind::kPhocas:
      return rule.trim;
    default:
      return (columns - 1) / 2;
  }
}

// Inlined where it is called, and so compiled once more for AVX2.
#define CAIRN_INLINE [[gnu::always_inline]] inline

template <typename T>
CAIRN_INLINE void Exchange(T& low, T& high) {
  const T x = low, y = high;
  low = std::min(x, y);
  high = std::max(x, y);
}

template <typename T, std::size_t... kAt>
CAIRN_INLINE void SortOctet(T (&x)[kOctet], std::index_sequence<kAt...>) {
  (Exchange(x[kSortOctet[kAt].low], x[kSortOctet[kAt].high]), ...);
}

// One rule on [columns, kWidth] values at a time.
template <typename T>
class Tile {
 public:
  CAIRN_INLINE explicit Tile(const CoordinateSteps& steps) : steps_(steps), rows_(steps.columns) {}

  // out[w] for coordinates [at, at + count) of the columns, count <= kWidth.
  CAIRN_INLINE void Apply(absl::Span<const T* const> columns, std::size_t at, std::size_t count, T* out) {
    for (std::size_t i = 0; i < columns.size(); ++i) Load(columns[i] + at, count, rows_[i]);
    if (steps_.rule.kind == CoordinateRule::Kind::kSign) {
      Vote();
    } else {
      Sort();
      Average();
      if (TakesNearest(steps_.rule)) AverageNearest();
    }
    for (std::size_t w = 0; w < count; ++w) out[at + w] = static_cast<T>(result_[w]);
  }

 private:
  // On cache lines: half of all vectors would cross two otherwise, which takes twice as long.
  struct alignas(64) Row {
    T values[kWidth];
  };

  // The last tile may be narrower: zeros fill it. A copy of fixed length takes no call. Processors see by themselves
  // what comes next of a few streams only, not of one for every client: it is asked for, into the second cache.
  CAIRN_INLINE static void Load(const T* from, std::size_t count, Row& row) {
    for (std::size_t w = 0; w < kWidth; w += kLineBytes / sizeof(T)) {
      // As a number: it may be behind the last value.
      __builtin_prefetch(reinterpret_cast<const void*>(reinterpret_cast<std::uintptr_t>(from + w) + kAheadBytes), kRead,
                         kKeep);
    }
    if (count == kWidth) {
      std::copy_n(from, kWidth, row.values);
    } else {
      std::fill(std::copy_n(from, count, row.values), row.values + kWidth, T{0});
    }
  }

  // -0 and 0 are equal here, and one may take the other's place: no sum shows it.
  CAIRN_INLINE void Sort() {
    for (std::size_t i = 0; i + kOctet <= steps_.columns; i += kOctet) SortRows(&rows_[i]);
    for (const Comparator& comparator : steps_.network) {
      T* const __restrict low = rows_[comparator.low].values;
      T* const __restrict high = rows_[comparator.high].values;
      if (!comparator.needs_high) {
        for (std::size_t w = 0; w < kWidth; ++w) low[w] = std::min(low[w], high[w]);
      } else if (!comparator.needs_low) {
        for (std::size_t w = 0; w < kWidth; ++w) high[w] = std::max(low[w], high[w]);
      } else {
        for (std::size_t w = 0; w < kWidth; ++w) Exchange(low[w], high[w]);
      }
    }
  }

  CAIRN_INLINE static void SortRows(Row* rows) {
    for (std::size_t w = 0; w < kWidth; ++w) {
      T x[kOctet];
      for (std::size_t i = 0; i < kOctet; ++i) x[i] = rows[i].values[w];
      SortOctet(x, std::make_index_sequence<kSortOctet.size()>());
      for (std::size_t i = 0; i < kOctet; ++i) rows[i].values[w] = x[i];
    }
  }

  CAIRN_INLINE void Average() {
    for (std::size_t w = 0; w < kWidth; w += kLanes) {
      double sums[kLanes] = {};
      for (std::size_t i = steps_.middle; i < steps_.middle_end; ++i) {
        for (std::size_t lane = 0; lane < kLanes; ++lane) sums[lane] += rows_[i].values[w + lane];
      }
      std::copy_n(sums, kLanes, result_ + w);
    }
    Divide(steps_.middle_end - steps_.middle);
  }

  // The nearest values are neighbours in the sorted order: a window, which moves up for as long as the value above it
  // is nearer to the centre than its own lowest.
  CAIRN_INLINE void AverageNearest() {
    const std::size_t count = steps_.rule.count;
    alignas(64) T first[kWidth] = {};
    for (std::size_t i = 0; i + count < steps_.columns; ++i) {
      const T* const lowest = rows_[i].values;
      const T* const above = rows_[i + count].values;
      for (std::size_t w = 0; w < kWidth; ++w) {
        first[w] += above[w] - result_[w] < result_[w] - lowest[w] ? T{1} : T{0};
      }
    }
    std::fill_n(result_, kWidth, 0.0);
    const T half = static_cast<T>(count - 1) / 2;
    for (std::size_t i = 0; i < steps_.columns; ++i) {
      const T* const row = rows_[i].values;
      const T at = static_cast<T>(i) - half;
      // Two loops and a product: compilers make a branch of one condition around the sum.
      alignas(64) T within[kWidth];
      for (std::size_t w = 0; w < kWidth; ++w) within[w] = std::abs(at - first[w]) <= half ? T{1} : T{0};
      for (std::size_t w = 0; w < kWidth; ++w) result_[w] += within[w] * row[w];
    }
    Divide(count);
  }

  CAIRN_INLINE void Divide(std::size_t count) {
    const double divisor = static_cast<double>(count);
    for (std::size_t w = 0; w < kWidth; ++w) result_[w] /= divisor;
  }

  CAIRN_INLINE void Vote() {
    T votes[kWidth] = {};
    for (std::size_t i = 0; i < steps_.columns; ++i) {
      const T* const row = rows_[i].values;
      for (std::size_t w = 0; w < kWidth; ++w) votes[w] += (row[w] > 0 ? T{1} : T{0}) - (row[w] < 0 ? T{1} : T{0});
    }
    // A product, again: compilers make branches of two conditions.
    for (std::size_t w = 0; w < kWidth; ++w) votes[w] = (votes[w] > 0 ? T{1} : T{0}) - (votes[w] < 0 ? T{1} : T{0});
    for (std::size_t w = 0; w < kWidth; ++w) result_[w] = steps_.rule.step * votes[w];
  }

  const CoordinateSteps& steps_;
  std::vector<Row> rows_;
  alignas(64) double result_[kWidth];
};

template <typename T>
CAIRN_INLINE void ApplyTiles(const CoordinateSteps& steps, absl::Span<const T* const> columns, absl::Span<T> out) {
  Tile<T> tile(steps);
  for (std::size_t at = 0; at < out.size(); at += kWidth) {
    tile.Apply(columns, at, std::min(kWidth, out.size() - at), out.data());
  }
}

// Twice the width where the processor has it, and the very same results, as the arithmetic is the same.
#if defined(__x86_64__)
template <typename T>
[[gnu::target("avx2"), gnu::noinline]] void ApplyAvx2(const CoordinateSteps& steps, absl::Span<const T* const> columns,
                                                      absl::Span<T> out) {
  ApplyTiles(steps, columns, out);
}
#endif

template <typename T>
void Apply(const CoordinateSteps& steps, absl::Span<const T* const> columns, absl::Span<T> out) {
  assert(columns.size() == steps.columns);
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) return ApplyAvx2(steps, columns, out);
#endif
  ApplyTiles(steps, columns, out);
}

}  // namespace

CoordinateSteps StepsOf(const CoordinateRule& rule, std::size_t columns) {
  const std::size_t outside = OutsideOf(rule, columns);
  CoordinateSteps steps{rule, columns, outside, columns - outside, {}};
  if (rule.kind == CoordinateRule::Kind::kSign) return steps;
  const bool all = TakesNearest(rule);
  steps.network = SortingNetwork(columns, all ? 0 : steps.middle, all ? columns : steps.middle_end, kOctet);
  return steps;
}

void ApplyCoordinates(const CoordinateSteps& steps, absl::Span<const float* const> columns, absl::Span<float> out) {
  Apply(steps, columns, out);
}
void ApplyCoordinates(const CoordinateSteps& steps, absl::Span<const double* const> columns, absl::Span<double> out) {
  Apply(steps, columns, out);
}

}  // namespace cairn::kernels
