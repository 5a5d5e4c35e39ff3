#include "aggregators/kernels/lora_combine.h"

#include <cassert>
#include <cstddef>

namespace cairn::kernels {
namespace {

std::size_t Rows(absl::Span<const float> in, const ColumnBlock& block, std::size_t out_elements) {
  assert(block.columns > 0 && block.at >= 0 && block.at + block.columns <= block.width);
  const std::size_t rows = in.size() / block.columns;
  assert(in.size() == rows * block.columns && out_elements == rows * block.width);
  static_cast<void>(out_elements);
  return rows;
}

}  // namespace

void ScaleIntoColumns(absl::Span<const float> in, const ColumnBlock& block, double factor, absl::Span<float> out) {
  const std::size_t rows = Rows(in, block, out.size());
  const float* from = in.data();
  float* to = out.data() + block.at;
  for (std::size_t i = 0; i < rows; ++i, from += block.columns, to += block.width) {
    for (std::int64_t j = 0; j < block.columns; ++j) to[j] = static_cast<float>(factor * from[j]);
  }
}

void AddToColumns(absl::Span<const float> in, const ColumnBlock& block, double factor, absl::Span<double> sum) {
  const std::size_t rows = Rows(in, block, sum.size());
  const float* from = in.data();
  double* to = sum.data() + block.at;
  for (std::size_t i = 0; i < rows; ++i, from += block.columns, to += block.width) {
    for (std::int64_t j = 0; j < block.columns; ++j) to[j] += factor * from[j];
  }
}

void AddScaled(absl::Span<const float> in, double factor, absl::Span<double> sum) {
  assert(in.size() == sum.size());
  for (std::size_t i = 0; i < in.size(); ++i) sum[i] += factor * in[i];
}

void RoundToFloat(absl::Span<const double> in, absl::Span<float> out) {
  assert(in.size() == out.size());
  for (std::size_t i = 0; i < in.size(); ++i) out[i] = static_cast<float>(in[i]);
}

}  // namespace cairn::kernels
