#include "aggregators/kernels/lora_combine.h"

#include <cassert>
#include <cstddef>

namespace cairn::kernels {
namespace {

template <typename T>
void ScaleValues(double factor, absl::Span<T> values) {
  for (T& value : values) value = static_cast<T>(factor * value);
}

template <typename T>
void IntoColumns(absl::Span<const T> in, const ColumnBlock& block, double factor, absl::Span<T> out) {
  assert(block.columns > 0 && block.at >= 0 && block.at + block.columns <= block.width);
  const std::size_t rows = in.size() / block.columns;
  assert(in.size() == rows * block.columns && out.size() == rows * block.width);
  const T* from = in.data();
  T* to = out.data() + block.at;
  for (std::size_t i = 0; i < rows; ++i, from += block.columns, to += block.width) {
    for (std::int64_t j = 0; j < block.columns; ++j) to[j] = static_cast<T>(factor * from[j]);
  }
}

}  // namespace

void Scale(double factor, absl::Span<float> values) { ScaleValues(factor, values); }
void Scale(double factor, absl::Span<double> values) { ScaleValues(factor, values); }

void ScaleIntoColumns(absl::Span<const float> in, const ColumnBlock& block, double factor, absl::Span<float> out) {
  IntoColumns(in, block, factor, out);
}
void ScaleIntoColumns(absl::Span<const double> in, const ColumnBlock& block, double factor, absl::Span<double> out) {
  IntoColumns(in, block, factor, out);
}

}  // namespace cairn::kernels
