#include "aggregators/kernels/streamed_product.h"

// clang 14 reads ATen.h only after this one.
// clang-format off
#include <ATen/core/ivalue.h>
#include <ATen/ATen.h>
// clang-format on

#include <algorithm>
#include <cmath>

#include "aggregators/kernels/torch_status.h"

namespace cairn::kernels {
namespace {

using at::Tensor;

constexpr std::int64_t kHeldElements = 1 << 21;   // What stays while the rest is read past it: 16 MiB.
constexpr std::int64_t kPanelElements = 1 << 19;  // What is read at a time: 4 MiB.

// How many rows of `width` elements go into `elements`.
std::int64_t RowsIn(std::int64_t elements, std::int64_t width) { return std::max<std::int64_t>(1, elements / width); }

// Rows [first, first + count) of a factor `width` wide.
Tensor Read(const StreamedFactors::ReadRows& read, std::int64_t first, std::int64_t count, std::int64_t width) {
  Tensor rows = at::empty({count, width}, at::kDouble);
  read(first, absl::MakeSpan(rows.data_ptr<double>(), static_cast<std::size_t>(count * width)));
  return rows;
}

// Inner products of units [first, first + count) with all units before first + count: those of a and of b, multiplied.
class UnitRun {
 public:
  UnitRun(const StreamedFactors& units, std::int64_t first, std::int64_t count)
      : units_(units), first_(first), end_(first + count), b_products_(at::zeros({count, end_}, at::kDouble)) {
    const std::int64_t step = RowsIn(kPanelElements, units.rank);
    for (std::int64_t row = 0; row < units.d_out; row += step) {
      const Tensor b = Read(units.b, row, std::min(step, units.d_out - row), units.rank);
      b_products_.addmm_(b.narrow(1, first, count).t(), b.narrow(1, 0, end_));
    }
    a_ = Read(units.a, first, count, units.d_in);
  }

  // visit(i, j, product) for all j <= i.
  template <typename Visit>
  void ForPairs(Visit visit) const {
    const std::int64_t step = RowsIn(kPanelElements, units_.d_in);
    for (std::int64_t from = 0; from < end_; from += step) {
      const std::int64_t count = std::min(step, end_ - from);
      const Tensor products = a_.mm(Read(units_.a, from, count, units_.d_in).t()) * b_products_.narrow(1, from, count);
      const double* values = products.data_ptr<double>();
      for (std::int64_t i = first_; i < end_; ++i, values += count) {
        for (std::int64_t j = from; j <= std::min(i, from + count - 1); ++j) visit(i, j, values[j - from]);
      }
    }
  }

 private:
  const StreamedFactors& units_;
  const std::int64_t first_, end_;
  Tensor b_products_, a_;
};

std::vector<std::int64_t> PartsOf(absl::Span<const std::int64_t> starts) {
  std::vector<std::int64_t> parts;
  for (std::size_t p = 0; p + 1 < starts.size(); ++p) parts.insert(parts.end(), starts[p + 1] - starts[p], p);
  return parts;
}

}  // namespace

absl::StatusOr<PartProducts> InnerProducts(const StreamedFactors& units, absl::Span<const std::int64_t> starts) {
  return CatchTorch("inner products", [&]() -> absl::StatusOr<PartProducts> {
    const c10::InferenceMode inference;
    const std::vector<std::int64_t> parts = PartsOf(starts);
    const std::size_t count = starts.size() - 1;
    PartProducts out{.inner = std::vector<double>(count * count)};
    double norms = 0;
    const std::int64_t step = RowsIn(kHeldElements, std::max(units.rank, units.d_in));
    for (std::int64_t first = 0; first < units.rank; first += step) {
      UnitRun(units, first, std::min(step, units.rank - first)).ForPairs([&](auto i, auto j, double product) {
        out.inner[parts[i] * count + parts[j]] += product;
        if (i == j) {
          norms += std::sqrt(product);
        } else {
          out.inner[parts[j] * count + parts[i]] += product;
        }
      });
    }
    out.magnitude = norms * norms;
    return out;
  });
}

absl::StatusOr<double> SquaredNorm(const StreamedFactors& units) {
  return CatchTorch("norm of a product", [&]() -> absl::StatusOr<double> {
    const c10::InferenceMode inference;
    const std::int64_t step = RowsIn(kHeldElements, std::max(units.rank, units.d_in));
    const std::int64_t panel = RowsIn(kPanelElements, units.d_in);
    double sum = 0;
    for (std::int64_t row = 0; row < units.d_out; row += step) {
      const std::int64_t rows = std::min(step, units.d_out - row);
      const Tensor b = Read(units.b, row, rows, units.rank);
      Tensor product = at::zeros({rows, units.d_in}, at::kDouble);
      for (std::int64_t unit = 0; unit < units.rank; unit += panel) {
        const std::int64_t count = std::min(panel, units.rank - unit);
        product.addmm_(b.narrow(1, unit, count), Read(units.a, unit, count, units.d_in));
      }
      sum += std::pow(product.norm().item<double>(), 2);
    }
    return sum;
  });
}

}  // namespace cairn::kernels
