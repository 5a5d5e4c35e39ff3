#include "aggregators/kernels/factor_gram.h"

// clang 14 reads ATen.h only after this one.
// clang-format off
#include <ATen/core/ivalue.h>
#include <ATen/ATen.h>
// clang-format on

#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>

#include "aggregators/kernels/torch_status.h"

namespace cairn::kernels {
namespace {

using at::Tensor;

// Multiplied at a time with all units before them: the finer, the less is done beyond a half.
constexpr std::int64_t kBlockUnits = 256;

// Consecutive units, in memory.
struct Panel {
  Panel(const UnitFactors& units, std::int64_t first, std::int64_t count)
      : first(first),
        count(count),
        a(at::empty({count, units.d_in}, at::kDouble)),
        b(at::empty({count, units.d_out}, at::kDouble)) {}

  static absl::StatusOr<Panel> Read(const UnitFactors& units, std::int64_t first, std::int64_t count) {
    Panel panel(units, first, count);
    absl::Status status = units.a(first, ValuesOf(panel.a));
    if (status.ok()) status = units.b(first, ValuesOf(panel.b));
    if (!status.ok()) return status;
    return panel;
  }

  std::int64_t first, count;
  Tensor a, b;  // [count, d_in], [count, d_out]

 private:
  static absl::Span<double> ValuesOf(Tensor& x) { return {x.data_ptr<double>(), static_cast<std::size_t>(x.numel())}; }
};

// A run of a panel's units.
struct Block {
  const Panel& panel;
  std::int64_t at, count;
  std::int64_t first() const { return panel.first + at; }
  Tensor a() const { return panel.a.narrow(0, at, count); }
  Tensor b() const { return panel.b.narrow(0, at, count); }
};

template <typename Visit>
void ForBlocks(const Panel& panel, Visit visit) {
  for (std::int64_t at = 0; at < panel.count; at += kBlockUnits) {
    visit(Block{panel, at, std::min(kBlockUnits, panel.count - at)});
  }
}

// Sums of products of units, by part.
class PartSums {
 public:
  explicit PartSums(absl::Span<const std::int64_t> starts)
      : count_(starts.size() - 1), inner_(count_ * count_), norms_(count_) {
    for (std::size_t p = 0; p < count_; ++p) part_of_.insert(part_of_.end(), starts[p + 1] - starts[p], p);
  }

  // Products of the units of x with those of y that are not behind them.
  void Add(const Block& x, const Block& y) {
    const Tensor a = x.a().mm(y.a().t()), b = x.b().mm(y.b().t());
    std::vector<double> products(y.count);
    for (std::int64_t i = 0; i < x.count; ++i) {
      const double* const of_a = a.data_ptr<double>() + i * y.count;
      std::transform(of_a, of_a + y.count, b.data_ptr<double>() + i * y.count, products.begin(), std::multiplies<>());
      AddRow(x.first() + i, y, products.data());
    }
  }

  PartProducts Take() && {
    for (std::size_t p = 0; p < count_; ++p) {
      for (std::size_t q = 0; q < p; ++q) inner_[q * count_ + p] = inner_[p * count_ + q];
    }
    return {std::move(inner_), std::move(norms_)};
  }

 private:
  void AddRow(std::int64_t i, const Block& y, const double* products) {
    double* const sums = inner_.data() + part_of_[i] * count_;
    const std::int64_t end = y.first() + y.count, before = std::min(i, end);
    for (std::int64_t j = y.first(); j < before; ++j) {
      // Of a pair within one part, both orders.
      sums[part_of_[j]] += part_of_[j] == part_of_[i] ? 2 * products[j - y.first()] : products[j - y.first()];
    }
    if (end <= i) return;
    const double squared_norm = products[i - y.first()];
    sums[part_of_[i]] += squared_norm;
    norms_[part_of_[i]] += std::sqrt(squared_norm);
  }

  std::size_t count_;
  std::vector<double> inner_;
  std::vector<std::size_t> part_of_;  // By unit.
  std::vector<double> norms_;
};

}  // namespace

absl::StatusOr<PartProducts> InnerProducts(const UnitFactors& units, absl::Span<const std::int64_t> starts) {
  return CatchTorch("inner products", [&]() -> absl::StatusOr<PartProducts> {
    const c10::InferenceMode inference;
    PartSums sums(starts);
    const std::int64_t step = std::max<std::int64_t>(1, units.panel / (units.d_in + units.d_out));
    for (std::int64_t first = 0; first < units.rank; first += step) {
      const absl::StatusOr<Panel> read = Panel::Read(units, first, std::min(step, units.rank - first));
      if (!read.ok()) return read.status();
      const Panel& held = *read;
      ForBlocks(held, [&](const Block& x) { sums.Add(x, Block{held, 0, x.at + x.count}); });
      for (std::int64_t other = 0; other < first; other += step) {
        const absl::StatusOr<Panel> before = Panel::Read(units, other, step);
        if (!before.ok()) return before.status();
        ForBlocks(held, [&](const Block& x) { sums.Add(x, Block{*before, 0, before->count}); });
      }
    }
    return std::move(sums).Take();
  });
}

}  // namespace cairn::kernels
