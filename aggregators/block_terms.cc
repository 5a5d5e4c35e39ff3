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

// Whether the view has numbers for all of the block's, which float32 can hold.
bool FillsWithFloats(const TensorView& view, const SumBlock& block) {
  const bool fills = ColumnsIn(view) == block.columns && RowsIn(view) >= block.first + block.rows;
  return fills && block.rows * block.columns > 0 && view.dtype != DType::kF64;
}

// What the sum's own window is likely to be: of a block that has none, the greatest of those that come.
std::optional<int> Greatest(absl::Span<BlockSource* const> sources) {
  std::optional<int> greatest;
  for (const BlockSource* source : sources) greatest = std::max(greatest, source->window);  // None is the least.
  return greatest;
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

Folded BlockTerms::Add(absl::Span<BlockSource> sources, const SumBlock& block, BlockWindows& windows,
                       BlockMemory memory, std::size_t* failed) {
  waiting_.clear();
  for (BlockSource& source : sources) waiting_.push_back(&source);
  const std::optional<int> top = windows.empty() ? Greatest(waiting_) : windows.top();
  for (int below = 0; top.has_value() && below < kernels::kSumPlanes; ++below) {
    // Only into planes that are there, or the first: then nothing moves that a wrong guess could not put back.
    if (below > 0 && windows.plane(below) == BlockWindows::kNone) continue;
    const Folded folded = AddGuessed(*top - below, block, windows, memory);
    if (folded != Folded::kDone) return folded;
  }
  for (BlockSource* source : waiting_) {
    const Folded folded = AddMeasured(*source, block, windows, memory);
    if (folded == Folded::kNotFinite) *failed = static_cast<std::size_t>(source - sources.data());
    if (folded != Folded::kDone) return folded;
  }
  return Folded::kDone;
}

// Takes those that are done from the waiting ones.
Folded BlockTerms::AddGuessed(int window, const SumBlock& block, BlockWindows& windows, BlockMemory memory) {
  // Of which nothing is known, the block's own is as good as any.
  const bool unknown_fits = !windows.empty() && windows.top() == window;
  guessed_.clear();
  std::erase_if(waiting_, [&](BlockSource* source) {
    const bool likely = source->window.has_value() ? *source->window == window : unknown_fits;
    const bool fits = likely && FillsWithFloats(source->scaled->view, block);
    if (fits) guessed_.push_back(source);
    return fits;
  });
  for (absl::Span<BlockSource* const> rest = guessed_; !rest.empty();) {
    const auto some = rest.first(std::min(rest.size(), kernels::kTermsAtOnce));
    const Folded folded = AddAtOnce(some, window, block, windows, memory);
    if (folded != Folded::kDone) return folded;
    rest.remove_prefix(some.size());
  }
  return Folded::kDone;
}

// Those that are not in this window wait again.
Folded BlockTerms::AddAtOnce(absl::Span<BlockSource* const> sources, int window, const SumBlock& block,
                             BlockWindows& windows, BlockMemory memory) {
  const BlockWindows before = windows;
  const BlockWindows::Place place = windows.Enter(window);
  const absl::Span<std::int64_t> sum = memory(place.plane);
  if (sum.empty()) return Folded::kNoPlane;
  std::array<kernels::ClientTerms, kernels::kTermsAtOnce> terms;
  for (std::size_t k = 0; k < sources.size(); ++k) {
    const auto& [coefficient, view] = *sources[k]->scaled;
    terms[k] = {Read(view, block.first * block.columns, static_cast<std::int64_t>(sum.size()), floats_[k]).data(),
                coefficient};
  }
  const auto greatest = kernels::AddTermsAtOnce(absl::MakeSpan(terms).first(sources.size()), window, place.fresh, sum);
  bool any = false;
  for (std::size_t k = 0; k < sources.size(); ++k) {
    const double magnitude = std::abs(terms[k].factor) * double{greatest[k]};
    if (magnitude == 0) continue;
    if (std::isfinite(magnitude) && kernels::WindowOf(magnitude) == window) {
      any = true;
    } else {
      kernels::TakeBack(terms[k], window, sum);
      waiting_.push_back(sources[k]);
    }
  }
  if (place.fresh && !any) windows = before;
  return Folded::kDone;
}

Folded BlockTerms::AddMeasured(BlockSource& source, const SumBlock& block, BlockWindows& windows, BlockMemory memory) {
  const auto& [coefficient, view] = *source.scaled;
  const std::int64_t columns = ColumnsIn(view), rows = std::min(block.rows, RowsIn(view) - block.first);
  if (rows <= 0 || columns == 0) return Folded::kDone;
  const std::int64_t first = block.first * columns, count = rows * columns;
  const char* data = view.data.data() + first * static_cast<std::int64_t>(SizeOf(view.dtype));
  // Rounding is monotone: this is the greatest of the rounded products.
  const double magnitude = std::abs(coefficient) * MaxMagnitude(view.dtype, data, count);
  if (!std::isfinite(magnitude)) return Folded::kNotFinite;
  if (magnitude == 0) return Folded::kDone;
  const int window = kernels::WindowOf(magnitude);
  source.window = window;
  const BlockWindows::Place place = windows.Enter(window);
  if (place.plane == BlockWindows::kNone) return Folded::kDone;
  const ColumnBlock into{.columns = columns, .width = block.columns, .at = 0};
  const absl::Span<std::int64_t> sum = Ready(place, memory);
  if (sum.empty()) return Folded::kNoPlane;
  if (view.dtype != DType::kF64) {
    kernels::AddTerms(Read(view, first, count, floats_[0]), into, coefficient, window, sum.first(rows * block.columns));
    return Folded::kDone;
  }
  const absl::Span<const double> values = Read(view, first, count, doubles_);
  kernels::AddTerms(values, into, coefficient, window, sum.first(rows * block.columns));
  const BlockWindows::Place lower = windows.EnterBelow(window);
  if (lower.plane == BlockWindows::kNone) return Folded::kDone;
  const absl::Span<std::int64_t> below = Ready(lower, memory);
  if (below.empty()) return Folded::kNoPlane;
  kernels::AddRemainders(values, into, coefficient, window, below.first(rows * block.columns));
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
