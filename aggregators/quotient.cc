// Sums of views by windows, evaluated where they are read: one pass over the views.
#include <algorithm>
#include <array>
#include <cassert>
#include <limits>
#include <utility>

#include "aggregators/block_terms.h"
#include "aggregators/factor_views.h"
#include "aggregators/sum_blocks.h"
#include "base/pages.h"

namespace cairn {
namespace {

using internal::ColumnsIn;
using internal::Folded;
using internal::RowsIn;
using internal::SumBlock;
using kernels::BlockWindows;

// Of all views together: beyond it, those of mapped files leave memory while a sum is read.
constexpr std::int64_t kResidentBytesMax = 2 << 20;

// A run of blocks of the accumulator, in memory.
class Tile {
 public:
  Tile(std::int64_t block_rows, std::int64_t columns) : block_rows_(block_rows), columns_(columns) {}

  // Rows [first, first + rows), from the first row of a block on, all 0.
  void Begin(std::int64_t first, std::int64_t rows) {
    first_ = first;
    rows_ = rows;
    windows_.assign((rows + block_rows_ - 1) / block_rows_, BlockWindows());
    finite_.assign(windows_.size(), true);
  }

  void Add(absl::Span<internal::BlockSource> sources) {
    for (std::size_t b = 0; b < windows_.size(); ++b) {
      const SumBlock block = BlockOf(b);
      std::size_t failed;
      const Folded folded = terms_.Add(
          sources, block, windows_[b], [&](int plane) { return SumsOf(block, plane); }, &failed);
      if (folded != Folded::kDone) finite_[b] = false;
    }
  }

  // Values of those rows from `row` on.
  template <typename T>
  void Read(std::int64_t row, double divisor, absl::Span<T> out) {
    while (!out.empty()) {
      const std::size_t b = (row - first_) / block_rows_;
      const SumBlock block = BlockOf(b);
      const std::int64_t skip = (row - block.first) * columns_;
      const std::int64_t here = std::min<std::int64_t>(block.rows * columns_ - skip, out.size());
      ReadOf(b, skip, divisor, out.first(here));
      out.remove_prefix(here);
      row = block.first + block.rows;
    }
  }

 private:
  SumBlock BlockOf(std::size_t b) const {
    const std::int64_t at = static_cast<std::int64_t>(b) * block_rows_;
    return {first_ + at, std::min(block_rows_, rows_ - at), columns_};
  }
  absl::Span<std::int64_t> SumsOf(const SumBlock& block, int plane) {
    std::vector<std::int64_t>& sums = planes_[plane];
    if (sums.size() < static_cast<std::size_t>(rows_ * columns_)) sums.resize(rows_ * columns_);
    return absl::MakeSpan(sums).subspan((block.first - first_) * columns_, block.rows * columns_);
  }
  template <typename T>
  void ReadOf(std::size_t b, std::int64_t skip, double divisor, absl::Span<T> out) {
    if (!finite_[b]) return std::fill(out.begin(), out.end(), std::numeric_limits<T>::quiet_NaN());
    const SumBlock block = BlockOf(b);
    internal::ReadBlock(
        windows_[b], [&](int plane) { return SumsOf(block, plane); }, skip, divisor, out);
  }

  const std::int64_t block_rows_, columns_;
  std::int64_t first_ = 0, rows_ = 0;
  std::vector<BlockWindows> windows_;
  std::vector<char> finite_;
  std::array<std::vector<std::int64_t>, kernels::kSumPlanes> planes_;
  internal::BlockTerms terms_;
};

class Quotient final : public internal::FactorOf<Quotient> {
 public:
  Quotient(std::vector<ScaledView> views, const SumShape& shape)
      : FactorOf(shape.rows, shape.columns), views_(std::move(views)), shape_(shape) {
    for (const auto& [coefficient, view] : views_) {
      assert(RowsIn(view) <= rows() && ColumnsIn(view) <= columns());
      row_bytes_ += ColumnsIn(view) * static_cast<std::int64_t>(SizeOf(view.dtype));
    }
  }
  std::int64_t unit_rows() const override { return shape_.block_rows; }

  // Whole blocks, whatever rows are asked for: their windows depend on all of their rows.
  template <typename T>
  void ReadAs(std::int64_t first, absl::Span<T> out) const {
    const std::int64_t end = first + static_cast<std::int64_t>(out.size()) / columns(), unit = shape_.block_rows;
    const std::int64_t begin = first / unit * unit, blocks_end = std::min(rows(), (end + unit - 1) / unit * unit);
    Tile tile(unit, columns());
    std::vector<internal::BlockSource> sources;
    for (const ScaledView& scaled : views_) sources.push_back({&scaled});
    std::int64_t resident_from = begin;
    internal::ForTiles(begin, blocks_end - begin, columns(), unit, [&](std::int64_t row, std::int64_t count) {
      tile.Begin(row, count);
      tile.Add(absl::MakeSpan(sources));
      const std::int64_t from = std::max(first, row), to = std::min(end, row + count);
      tile.Read(from, shape_.divisor, out.subspan((from - first) * columns(), (to - from) * columns()));
      if ((row + count - resident_from) * row_bytes_ < kResidentBytesMax) return;
      for (const ScaledView& scaled : views_) DropRows(scaled.view, resident_from, row + count);
      resident_from = row + count;
    });
  }

 private:
  static void DropRows(const TensorView& view, std::int64_t begin, std::int64_t end) {
    if (view.mapping.empty()) return;
    const std::int64_t row_bytes = ColumnsIn(view) * static_cast<std::int64_t>(SizeOf(view.dtype));
    begin = std::min(begin, RowsIn(view));
    end = std::min(end, RowsIn(view));
    DropMappedPages(view.mapping, view.data.substr(begin * row_bytes, (end - begin) * row_bytes));
  }

  std::vector<ScaledView> views_;
  SumShape shape_;
  std::int64_t row_bytes_ = 0;  // Of one row of all views.
};

}  // namespace

FactorPtr QuotientOf(std::vector<ScaledView> views, const SumShape& shape) {
  return std::make_shared<Quotient>(std::move(views), shape);
}

FactorPtr SumOf(std::vector<ScaledView> views, std::int64_t rows, std::int64_t columns) {
  if (views.size() == 1 && RowsIn(views[0].view) == rows && ColumnsIn(views[0].view) == columns) {
    return RowsOf(std::move(views));
  }
  return QuotientOf(std::move(views), {.rows = rows, .columns = columns, .block_rows = SumBlockRows(columns)});
}

}  // namespace cairn
