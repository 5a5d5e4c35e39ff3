// Factors that are read from tensor views: concatenations and sums.
#include "aggregators/factor_views.h"

#include <cassert>
#include <cmath>
#include <limits>
#include <mutex>
#include <utility>

#include "aggregators/kernels/add_scaled.h"
#include "aggregators/kernels/fixed_point.h"
#include "aggregators/kernels/lora_combine.h"
#include "base/pages.h"

namespace cairn {
namespace {

using internal::FactorOf;
using internal::ForPartsOf;
using kernels::ColumnBlock;

// Elements that are converted at a time: with the accumulators they stay in the second-level cache.
constexpr std::int64_t kTileElements = 8192;

std::int64_t RowsIn(const TensorView& view) { return view.shape.empty() ? 1 : view.shape[0]; }
std::int64_t ColumnsIn(const TensorView& view) { return view.elements() / std::max<std::int64_t>(1, RowsIn(view)); }

void Convert(DType dtype, const char* data, std::size_t count, float* out) { ToFloat(dtype, data, count, out); }
void Convert(DType dtype, const char* data, std::size_t count, double* out) { ToDouble(dtype, data, count, out); }

// Elements [first, first + out.size()) of a view.
template <typename T>
void ReadView(const TensorView& view, std::int64_t first, absl::Span<T> out) {
  Convert(view.dtype, view.data.data() + first * SizeOf(view.dtype), out.size(), out.data());
}

// coefficient * the same. A float64 value is multiplied before it is rounded.
template <typename T>
void ReadScaled(const ScaledView& scaled, std::int64_t first, absl::Span<T> out) {
  ReadView(scaled.view, first, out);
  if (scaled.coefficient != 1) kernels::Scale(scaled.coefficient, out);
}

std::vector<std::int64_t> Starts(const std::vector<ScaledView>& views, std::int64_t (*size)(const TensorView&)) {
  std::vector<std::int64_t> starts = {0};
  for (const ScaledView& scaled : views) starts.push_back(starts.back() + size(scaled.view));
  return starts;
}

class Rows final : public FactorOf<Rows> {
 public:
  Rows(std::vector<ScaledView> views, std::vector<std::int64_t> starts)
      : FactorOf(starts.back(), ColumnsIn(views.front().view)), views_(std::move(views)), starts_(std::move(starts)) {}

  template <typename T>
  void ReadAs(std::int64_t first, absl::Span<T> out) const {
    const std::int64_t rows = static_cast<std::int64_t>(out.size()) / columns();
    ForPartsOf(starts_, first, rows, [&](std::size_t part, std::int64_t row, std::int64_t count, std::int64_t at) {
      ReadScaled(views_[part], row * columns(), out.subspan(at * columns(), count * columns()));
    });
  }

 private:
  std::vector<ScaledView> views_;
  std::vector<std::int64_t> starts_;
};

// Calls visit(first, rows) for runs of rows of at most kTileElements elements of a matrix `columns` wide.
template <typename Visit>
void ForTiles(std::int64_t first, std::int64_t rows, std::int64_t columns, Visit visit) {
  const std::int64_t step = std::max<std::int64_t>(1, kTileElements / columns);
  for (std::int64_t done = 0; done < rows; done += step) visit(first + done, std::min(step, rows - done));
}

class Columns final : public FactorOf<Columns> {
 public:
  Columns(std::vector<ScaledView> views, std::vector<std::int64_t> starts)
      : FactorOf(RowsIn(views.front().view), starts.back()), views_(std::move(views)), starts_(std::move(starts)) {}

  template <typename T>
  void ReadAs(std::int64_t first, absl::Span<T> out) const {
    const std::int64_t rows = static_cast<std::int64_t>(out.size()) / columns();
    std::vector<T> tile;
    for (std::size_t i = 0; i < views_.size(); ++i) {
      const ColumnBlock block{.columns = starts_[i + 1] - starts_[i], .width = columns(), .at = starts_[i]};
      ForTiles(first, rows, block.columns, [&](std::int64_t row, std::int64_t count) {
        tile.resize(count * block.columns);
        ReadView(views_[i].view, row * block.columns, absl::MakeSpan(tile));
        const absl::Span<T> to = out.subspan((row - first) * columns(), count * columns());
        kernels::ScaleIntoColumns(absl::MakeConstSpan(tile), block, views_[i].coefficient, to);
      });
    }
  }

 private:
  std::vector<ScaledView> views_;
  std::vector<std::int64_t> starts_;
};

// Of all views together: beyond it, those of mapped files leave memory while a sum is read.
constexpr std::int64_t kResidentBytesMax = 2 << 20;

class Sum final : public FactorOf<Sum> {
 public:
  Sum(std::vector<ScaledView> views, std::int64_t rows, std::int64_t columns)
      : FactorOf(rows, columns), views_(std::move(views)) {
    for (const auto& [coefficient, view] : views_) {
      assert(RowsIn(view) <= rows && ColumnsIn(view) <= columns);
      row_bytes_ += ColumnsIn(view) * static_cast<std::int64_t>(SizeOf(view.dtype));
    }
  }

  template <typename T>
  void ReadAs(std::int64_t first, absl::Span<T> out) const {
    std::call_once(bounded_, [this] { Bound(); });
    if (!finite_) return std::fill(out.begin(), out.end(), std::numeric_limits<T>::quiet_NaN());
    std::vector<std::int64_t> sum;
    std::vector<T> tile;
    const std::int64_t rows = static_cast<std::int64_t>(out.size()) / columns();
    std::int64_t resident_from = first;
    ForTiles(first, rows, columns(), [&](std::int64_t row, std::int64_t count) {
      sum.assign(count * columns(), 0);
      for (const ScaledView& scaled : views_) AddRows(scaled, row, count, tile, sum);
      kernels::FromFixed(sum, fraction_bits_, out.subspan((row - first) * columns(), count * columns()));
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

  // Adds what the view has of rows [row, row + count).
  template <typename T>
  void AddRows(const ScaledView& scaled, std::int64_t row, std::int64_t count, std::vector<T>& tile,
               std::vector<std::int64_t>& sum) const {
    const std::int64_t here = std::min(count, RowsIn(scaled.view) - row);
    if (here <= 0) return;
    const ColumnBlock block{.columns = ColumnsIn(scaled.view), .width = columns(), .at = 0};
    tile.resize(here * block.columns);
    ReadView(scaled.view, row * block.columns, absl::MakeSpan(tile));
    kernels::AddFixed(absl::MakeConstSpan(tile), block, scaled.coefficient, fraction_bits_,
                      absl::MakeSpan(sum).subspan(0, here * columns()));
  }

  // At the first read and not before: it takes all pages of all views into memory, while those of another factor may
  // still be there.
  void Bound() const {
    double bound = 0;
    for (const auto& [coefficient, view] : views_) {
      bound += std::abs(coefficient) * MaxMagnitude(view.dtype, view.data.data(), view.elements());
      if (row_bytes_ * rows() >= kResidentBytesMax) DropRows(view, 0, RowsIn(view));
    }
    finite_ = std::isfinite(bound);
    if (finite_) fraction_bits_ = kernels::FractionBits(bound);
  }

  std::vector<ScaledView> views_;
  std::int64_t row_bytes_ = 0;  // Of one row of all views.
  mutable std::once_flag bounded_;
  mutable bool finite_ = true;
  mutable int fraction_bits_ = 0;
};

class OrderedSum final : public FactorOf<OrderedSum> {
 public:
  OrderedSum(std::vector<ScaledView> views, std::int64_t rows, std::int64_t columns)
      : FactorOf(rows, columns), views_(std::move(views)) {
    for (const ScaledView& scaled : views_) assert(scaled.view.elements() == rows * columns);
  }

  template <typename T>
  void ReadAs(std::int64_t first, absl::Span<T> out) const {
    std::vector<double> sum;
    std::vector<T> tile;
    ForTiles(first, static_cast<std::int64_t>(out.size()) / columns(), columns(),
             [&](std::int64_t row, std::int64_t n) {
               sum.assign(n * columns(), 0);
               tile.resize(sum.size());
               for (const auto& [coefficient, view] : views_) {
                 ReadView(view, row * columns(), absl::MakeSpan(tile));
                 kernels::AddScaled(coefficient, absl::MakeConstSpan(tile), absl::MakeSpan(sum));
               }
               std::transform(sum.begin(), sum.end(), out.begin() + (row - first) * columns(),
                              [](double value) { return static_cast<T>(value); });
             });
  }

 private:
  std::vector<ScaledView> views_;
};

}  // namespace

FactorPtr OrderedSumOf(std::vector<ScaledView> views, std::int64_t rows, std::int64_t columns) {
  return std::make_shared<OrderedSum>(std::move(views), rows, columns);
}

FactorPtr RowsOf(std::vector<ScaledView> views) {
  std::vector<std::int64_t> starts = Starts(views, RowsIn);
  return std::make_shared<Rows>(std::move(views), std::move(starts));
}

FactorPtr ColumnsOf(std::vector<ScaledView> views) {
  std::vector<std::int64_t> starts = Starts(views, ColumnsIn);
  return std::make_shared<Columns>(std::move(views), std::move(starts));
}

FactorPtr SumOf(std::vector<ScaledView> views, std::int64_t rows, std::int64_t columns) {
  // One view is itself, to the last bit.
  if (views.size() == 1 && RowsIn(views[0].view) == rows && ColumnsIn(views[0].view) == columns) {
    return RowsOf(std::move(views));
  }
  return std::make_shared<Sum>(std::move(views), rows, columns);
}

}  // namespace cairn
