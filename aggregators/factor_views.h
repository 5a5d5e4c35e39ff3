// What the kinds of factors in factor*.cc share.
#pragma once

#include <algorithm>

#include "aggregators/factor.h"

namespace cairn::internal {

// One implementation for float and double: Derived has a template ReadAs<T>(first, out).
template <typename Derived>
class FactorOf : public Factor {
 public:
  void Read(std::int64_t first, absl::Span<float> out) const override {
    static_cast<const Derived*>(this)->template ReadAs<float>(first, out);
  }
  void Read(std::int64_t first, absl::Span<double> out) const override {
    static_cast<const Derived*>(this)->template ReadAs<double>(first, out);
  }

 protected:
  using Factor::Factor;
};

// A view as a matrix: a list is a column.
inline std::int64_t RowsIn(const TensorView& view) { return view.shape.empty() ? 1 : view.shape[0]; }
inline std::int64_t ColumnsIn(const TensorView& view) {
  return view.elements() / std::max<std::int64_t>(1, RowsIn(view));
}

// Elements that are converted at a time: with float64 accumulators they stay in the second-level cache.
inline constexpr std::int64_t kTileElements = 8192;

// Calls visit(first, rows) for runs of rows of at most kTileElements elements, or of one `unit` of rows, of a matrix
// `columns` wide.
template <typename Visit>
void ForTiles(std::int64_t first, std::int64_t rows, std::int64_t columns, std::int64_t unit, Visit visit) {
  const std::int64_t step = std::max<std::int64_t>(1, kTileElements / (columns * unit)) * unit;
  for (std::int64_t done = 0; done < rows; done += step) visit(first + done, std::min(step, rows - done));
}

// Visits the parts of a column of parts that hold rows [first, first + rows): which part, its own first row, how many
// rows, and where these begin in the block. `starts` are the parts' first rows, and at the end the number of all.
template <typename Visit>
void ForPartsOf(const std::vector<std::int64_t>& starts, std::int64_t first, std::int64_t rows, Visit visit) {
  std::size_t part = std::upper_bound(starts.begin(), starts.end(), first) - starts.begin() - 1;
  for (std::int64_t done = 0; done < rows; ++part) {
    const std::int64_t here = std::min(starts[part + 1] - (first + done), rows - done);
    if (here > 0) visit(part, first + done - starts[part], here, done);
    done += here;
  }
}

}  // namespace cairn::internal
