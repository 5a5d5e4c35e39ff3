#include "aggregators/block_terms.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>

#include "aggregators/factor_views.h"

namespace cairn::internal {
namespace {

using kernels::BlockWindows;
using kernels::ColumnBlock;

// The block's memory in the plane, with zeros if it has other numbers. Empty: there is none.
absl::Span<std::int64_t> Ready(const BlockWindows::Place& place, BlockMemory memory) {
  const absl::Span<std::int64_t> sum = memory(place.plane);
  if (place.fresh) std::fill(sum.begin(), sum.end(), 0);
  return sum;
}

void AddRows(absl::Span<const std::int64_t> from, const SumBlock& block, bool fresh, std::int64_t columns,
             absl::Span<std::int64_t> sum) {
  if (fresh && from.size() == sum.size()) {
    std::copy(from.begin(), from.end(), sum.begin());
    return;
  }
  if (fresh) std::fill(sum.begin(), sum.end(), 0);
  if (block.columns == columns) return kernels::AddSums(from, sum.first(from.size()));
  for (std::int64_t row = 0; row < block.rows; ++row) {
    kernels::AddSums(from.subspan(row * block.columns, block.columns), sum.subspan(row * columns, block.columns));
  }
}

template <typename T>
void ReadValues(const BlockWindows& windows, BlockSums sums, std::int64_t skip, double divisor, absl::Span<T> out) {
  if (windows.empty()) return std::fill(out.begin(), out.end(), T{0});
  std::array<absl::Span<const std::int64_t>, kernels::kSumPlanes> planes;
  for (int below = 0; below < kernels::kSumPlanes; ++below) {
    if (windows.plane(below) == BlockWindows::kNone) continue;
    planes[below] = sums(windows.plane(below)).subspan(skip, out.size());
  }
  kernels::FromWindows(planes, windows.top(), divisor, out);
}

}  // namespace

// Where the bytes are already numbers of this type and aligned, they are used in place.
template <typename T>
absl::Span<const T> BlockTerms::Read(const TensorView& view, std::int64_t first, std::int64_t count,
                                     std::vector<T>& tile) {
  constexpr DType kOwn = sizeof(T) == sizeof(double) ? DType::kF64 : DType::kF32;
  const char* data = view.data.data() + first * static_cast<std::int64_t>(SizeOf(view.dtype));
  if (view.dtype == kOwn && reinterpret_cast<std::uintptr_t>(data) % alignof(T) == 0) {
    return {reinterpret_cast<const T*>(data), static_cast<std::size_t>(count)};
  }
  tile.resize(count);
  if constexpr (kOwn == DType::kF64) {
    ToDouble(view.dtype, data, count, tile.data());
  } else {
    ToFloat(view.dtype, data, count, tile.data());
  }
  return tile;
}

Folded BlockTerms::Add(const ScaledView& scaled, const SumBlock& block, BlockWindows& windows, BlockMemory memory) {
  const TensorView& view = scaled.view;
  const std::int64_t columns = ColumnsIn(view), rows = std::min(block.rows, RowsIn(view) - block.first);
  if (rows <= 0 || columns == 0) return Folded::kDone;
  const std::int64_t first = block.first * columns, count = rows * columns;
  const char* data = view.data.data() + first * static_cast<std::int64_t>(SizeOf(view.dtype));
  // Rounding is monotone: this is the greatest of the rounded products.
  const double magnitude = std::abs(scaled.coefficient) * MaxMagnitude(view.dtype, data, count);
  if (!std::isfinite(magnitude)) return Folded::kNotFinite;
  if (magnitude == 0) return Folded::kDone;
  const int window = kernels::WindowOf(magnitude);
  const BlockWindows::Place place = windows.Enter(window);
  if (place.plane == BlockWindows::kNone) return Folded::kDone;
  const ColumnBlock into{.columns = columns, .width = block.columns, .at = 0};
  const absl::Span<std::int64_t> sum = Ready(place, memory);
  if (sum.empty()) return Folded::kNoPlane;
  if (view.dtype != DType::kF64) {
    kernels::AddTerms(Read(view, first, count, floats_), into, scaled.coefficient, window,
                      sum.first(rows * block.columns));
    return Folded::kDone;
  }
  const absl::Span<const double> values = Read(view, first, count, doubles_);
  kernels::AddTerms(values, into, scaled.coefficient, window, sum.first(rows * block.columns));
  const BlockWindows::Place lower = windows.EnterBelow(window);
  if (lower.plane == BlockWindows::kNone) return Folded::kDone;
  const absl::Span<std::int64_t> below = Ready(lower, memory);
  if (below.empty()) return Folded::kNoPlane;
  kernels::AddRemainders(values, into, scaled.coefficient, window, below.first(rows * block.columns));
  return Folded::kDone;
}

Folded AddBlockSums(const BlockWindows& other, const SumBlock& other_block, BlockSums other_sums, const SumBlock& block,
                    BlockWindows& windows, BlockMemory memory) {
  for (int below = 0; below < kernels::kSumPlanes; ++below) {
    if (other.plane(below) == BlockWindows::kNone) continue;
    const BlockWindows::Place place = windows.Enter(other.top() - below);
    if (place.plane == BlockWindows::kNone) break;
    const absl::Span<std::int64_t> sum = memory(place.plane);
    if (sum.empty()) return Folded::kNoPlane;
    AddRows(other_sums(other.plane(below)), other_block, place.fresh, block.columns, sum);
  }
  return Folded::kDone;
}

void ReadBlock(const BlockWindows& windows, BlockSums sums, std::int64_t skip, double divisor, absl::Span<float> out) {
  ReadValues(windows, sums, skip, divisor, out);
}
void ReadBlock(const BlockWindows& windows, BlockSums sums, std::int64_t skip, double divisor, absl::Span<double> out) {
  ReadValues(windows, sums, skip, divisor, out);
}

}  // namespace cairn::internal
