// A matrix of the result, evaluated a block of rows at a time, so that it need not stand in memory whole: the
// concatenation or the weighted sum of client factors is read straight from the clients' mapped files.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/types/span.h"
#include "adapter/safetensors.h"

namespace cairn {

// Immutable. Reading is thread-safe and gives the same bits every time, whatever the blocks.
class Factor {
 public:
  virtual ~Factor() = default;
  std::int64_t rows() const { return rows_; }
  std::int64_t columns() const { return columns_; }

  // Rows [first, first + out.size() / columns()), row-major. Computed in float64 (sums of views in int64) and rounded
  // once. REQUIRES: out.size() is a multiple of columns() and the rows exist.
  virtual void Read(std::int64_t first, absl::Span<float> out) const = 0;
  virtual void Read(std::int64_t first, absl::Span<double> out) const = 0;
  // Reading multiples of so many rows, from a multiple of it on, computes nothing twice.
  virtual std::int64_t unit_rows() const { return 1; }

 protected:
  Factor(std::int64_t rows, std::int64_t columns) : rows_(rows), columns_(columns) {}

 private:
  std::int64_t rows_, columns_;
};
using FactorPtr = std::shared_ptr<const Factor>;

// coefficient * view, where the view is a matrix [rows, columns] of a floating-point type (or a list [rows], as a
// column). Its bytes must outlive the factor.
struct ScaledView {
  double coefficient = 1;
  TensorView view;
};

// Views below one another, all of one width.
FactorPtr RowsOf(std::vector<ScaledView> views);
// Views side by side, all of one height.
FactorPtr ColumnsOf(std::vector<ScaledView> views);
// How sums of views are made.
struct SumShape {
  std::int64_t rows = 0, columns = 0;
  double divisor = 1;           // Of every element, at last.
  std::int64_t block_rows = 1;  // Whose terms have a window of their own (sum_blocks.h).
};
// The sum of the views, each in the upper left corner of a matrix of zeros: all sizes are at most rows x columns.
// In int64 by windows (kernels/window_sum.h), so that it depends neither on order nor on grouping, and is what
// PartialSum gives. NaN in blocks where a view holds a value that is not finite.
FactorPtr QuotientOf(std::vector<ScaledView> views, const SumShape& shape);
// The same with the divisor 1 and blocks as the width says; but a single view of this size is itself, to the last bit.
FactorPtr SumOf(std::vector<ScaledView> views, std::int64_t rows, std::int64_t columns);
// The sum of views of rows x columns, in float64 in the order of the views.
FactorPtr OrderedSumOf(std::vector<ScaledView> views, std::int64_t rows, std::int64_t columns);
// Values in memory, row-major.
FactorPtr ValuesOf(std::vector<float> values, std::int64_t rows, std::int64_t columns);
FactorPtr ValuesOf(std::vector<double> values, std::int64_t rows, std::int64_t columns);
// Factors below one another (all of one width), or side by side (all of one height).
FactorPtr Below(std::vector<FactorPtr> parts);
FactorPtr Beside(std::vector<FactorPtr> parts);
// Rows [first, first + rows) and columns [0, columns) of another.
FactorPtr Part(FactorPtr whole, std::int64_t first, std::int64_t rows, std::int64_t columns);

std::vector<float> ReadAll(const Factor& factor);
std::vector<double> ReadAllDouble(const Factor& factor);

// Reads a factor front to back in blocks of whole rows that stay in the second-level cache. OUT_OF_RANGE at the first
// value that is not finite; else the visitor's first error.
absl::Status ForEachBlock(const Factor& factor, absl::FunctionRef<absl::Status(absl::Span<const float>)> visit);
absl::Status ForEachBlockDouble(const Factor& factor, absl::FunctionRef<absl::Status(absl::Span<const double>)> visit);

}  // namespace cairn
