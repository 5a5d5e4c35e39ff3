#include "aggregators/streamed.h"

#include <algorithm>
#include <utility>

#include "base/parallel.h"

namespace cairn {
namespace {

kernels::StreamedFactors::ReadRows Reader(FactorPtr factor) {
  return [factor = std::move(factor)](std::int64_t first, absl::Span<double> rows) { factor->Read(first, rows); };
}

constexpr std::int64_t kTileElements = 8192;
constexpr std::int64_t kRunUnitsMin = 64;  // By one thread.

// Columns [first, first + count) of a factor as rows.
struct Columns {
  const Factor& factor;
  std::int64_t first, count;
};

void ReadTransposed(const Columns& from, double* out) {
  const std::int64_t rows = from.factor.rows(), width = from.factor.columns();
  const std::int64_t step = std::max<std::int64_t>(1, kTileElements / width);
  std::vector<double> tile;
  for (std::int64_t row = 0; row < rows; row += step) {
    const std::int64_t here = std::min(step, rows - row);
    tile.resize(here * width);
    from.factor.Read(row, absl::MakeSpan(tile));
    for (std::int64_t k = 0; k < from.count; ++k) {
      const double* value = tile.data() + from.first + k;
      double* const to = out + k * rows + row;
      for (std::int64_t i = 0; i < here; ++i, value += width) to[i] = *value;
    }
  }
}

// One part after the other: part p has the units [starts[p], starts[p + 1]), of `length` values.
struct Layout {
  std::vector<std::int64_t> starts;
  std::int64_t length;
  int threads;
};

// Calls read(part, first, count, out) for the units of every part that [first, first + units.size() / length) touches,
// where `first` is counted from the part's own first unit.
template <typename Read>
kernels::UnitFactors::ReadUnits PartsReader(Layout layout, Read read) {
  return [layout = std::move(layout), read = std::move(read)](std::int64_t first, absl::Span<double> units) {
    // Long runs: to read some columns of a B is to read all of its rows.
    const std::int64_t count = static_cast<std::int64_t>(units.size()) / layout.length;
    const std::int64_t length = std::max(kRunUnitsMin, (count + layout.threads - 1) / layout.threads);
    return ParallelFor(layout.threads, (count + length - 1) / length, [&](int, std::int64_t run) {
      const std::int64_t at = run * length, end = std::min(count, at + length);
      for (std::size_t part = 0; part + 1 < layout.starts.size(); ++part) {
        const std::int64_t begin = layout.starts[part];
        const std::int64_t from = std::max(first + at, begin), to = std::min(first + end, layout.starts[part + 1]);
        if (from < to) read(part, from - begin, to - from, units.data() + (from - first) * layout.length);
      }
      return absl::OkStatus();
    });
  };
}

}  // namespace

kernels::StreamedFactors Streamed(FactorPtr a, FactorPtr b) {
  const std::int64_t d_out = b->rows(), rank = a->rows(), d_in = a->columns();
  return {d_out, rank, d_in, Reader(std::move(a)), Reader(std::move(b))};
}

kernels::UnitFactors StreamedUnits(std::vector<FactorPtr> a, std::vector<FactorPtr> b, int threads) {
  std::vector<std::int64_t> starts = {0};
  for (const FactorPtr& part : a) starts.push_back(starts.back() + part->rows());
  const std::int64_t d_out = b[0]->rows(), rank = starts.back(), d_in = a[0]->columns();
  const auto read_a = [a = std::move(a)](std::size_t part, std::int64_t first, std::int64_t count, double* out) {
    a[part]->Read(first, absl::MakeSpan(out, count * a[part]->columns()));
  };
  const auto read_b = [b = std::move(b)](std::size_t part, std::int64_t first, std::int64_t count, double* out) {
    ReadTransposed({*b[part], first, count}, out);
  };
  return {d_out, rank, d_in, PartsReader({starts, d_in, threads}, read_a),
          PartsReader({starts, d_out, threads}, read_b)};
}

}  // namespace cairn
