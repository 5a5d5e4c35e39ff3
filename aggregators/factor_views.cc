// Factors that are read from tensor views: concatenations and sums in order.
#include "aggregators/factor_views.h"

#include <cassert>
#include <utility>

#include "aggregators/kernels/add_scaled.h"
#include "aggregators/kernels/lora_combine.h"

namespace cairn {
namespace {

using internal::ColumnsIn;
using internal::FactorOf;
using internal::ForPartsOf;
using internal::ForTiles;
using internal::RowsIn;
using kernels::ColumnBlock;

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
      ForTiles(first, rows, block.columns, 1, [&](std::int64_t row, std::int64_t count) {
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
    ForTiles(first, static_cast<std::int64_t>(out.size()) / columns(), columns(), 1,
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

}  // namespace cairn
