#include "aggregators/kernels/streamed_product.h"

// clang 14 reads ATen.h only after this one.
// clang-format off
#include <ATen/core/ivalue.h>
#include <ATen/ATen.h>
// clang-format on

#include <algorithm>

#include "aggregators/kernels/torch_status.h"

namespace cairn::kernels {
namespace {

using at::Tensor;

constexpr std::int64_t kHeldElements = 1 << 22;   // Of what is formed at a time: 32 MiB.
constexpr std::int64_t kPanelElements = 1 << 19;  // What is read at a time: 4 MiB.

// How many rows of `width` elements go into `elements`.
std::int64_t RowsIn(std::int64_t elements, std::int64_t width) { return std::max<std::int64_t>(1, elements / width); }

// Rows [first, first + count) of a factor `width` wide.
Tensor Read(const StreamedFactors::ReadRows& read, std::int64_t first, std::int64_t count, std::int64_t width) {
  Tensor rows = at::empty({count, width}, at::kDouble);
  read(first, absl::MakeSpan(rows.data_ptr<double>(), static_cast<std::size_t>(count * width)));
  return rows;
}

// Rows [row, row + rows) of every part: [parts, rows, d_in].
Tensor FormRows(const StreamedFactors& units, absl::Span<const std::int64_t> starts, std::int64_t row,
                std::int64_t rows) {
  const Tensor b = Read(units.b, row, rows, units.rank);
  const auto parts = static_cast<std::int64_t>(starts.size()) - 1;
  Tensor formed = at::zeros({parts, rows, units.d_in}, at::kDouble);
  const std::int64_t panel = RowsIn(kPanelElements, units.d_in);
  for (std::int64_t p = 0; p < parts; ++p) {
    for (std::int64_t unit = starts[p]; unit < starts[p + 1]; unit += panel) {
      const std::int64_t count = std::min(panel, starts[p + 1] - unit);
      formed[p].addmm_(b.narrow(1, unit, count), Read(units.a, unit, count, units.d_in));
    }
  }
  return formed;
}

}  // namespace

absl::StatusOr<std::vector<double>> FormedInnerProducts(const StreamedFactors& units,
                                                        absl::Span<const std::int64_t> starts) {
  return CatchTorch("inner products", [&]() -> absl::StatusOr<std::vector<double>> {
    const c10::InferenceMode inference;
    const auto parts = static_cast<std::int64_t>(starts.size()) - 1;
    std::vector<double> inner(parts * parts);
    Tensor sum = at::from_blob(inner.data(), {parts, parts}, at::kDouble);
    const std::int64_t step = RowsIn(kHeldElements, std::max(units.rank, parts * units.d_in));
    for (std::int64_t row = 0; row < units.d_out; row += step) {
      const std::int64_t rows = std::min(step, units.d_out - row);
      const Tensor formed = FormRows(units, starts, row, rows).view({parts, rows * units.d_in});
      sum.addmm_(formed, formed.t());
    }
    // The library may round one half in another way than the other.
    sum.copy_(sum.tril() + sum.tril(-1).t());
    return inner;
  });
}

}  // namespace cairn::kernels
