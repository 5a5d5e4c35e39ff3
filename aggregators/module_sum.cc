#include "aggregators/module_sum.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <mutex>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "aggregators/factor_views.h"
#include "aggregators/kernels/add_product.h"
#include "base/limits.h"

namespace cairn {
namespace {

// Columns [first, first + columns) of another factor.
class ColumnRange final : public internal::FactorOf<ColumnRange> {
 public:
  ColumnRange(FactorPtr whole, std::int64_t first, std::int64_t columns)
      : FactorOf(whole->rows(), columns), whole_(std::move(whole)), first_(first) {}

  template <typename T>
  void ReadAs(std::int64_t row, absl::Span<T> out) const {
    const std::int64_t rows = static_cast<std::int64_t>(out.size()) / columns();
    std::vector<T> block(rows * whole_->columns());
    whole_->Read(row, absl::MakeSpan(block));
    for (std::int64_t i = 0; i < rows; ++i) {
      std::copy_n(&block[i * whole_->columns() + first_], columns(), &out[i * columns()]);
    }
  }

 private:
  FactorPtr whole_;
  std::int64_t first_;
};

// Identity matrices of `columns` below one another.
class Identities final : public internal::FactorOf<Identities> {
 public:
  Identities(std::int64_t rows, std::int64_t columns) : FactorOf(rows, columns) {}

  template <typename T>
  void ReadAs(std::int64_t row, absl::Span<T> out) const {
    std::fill(out.begin(), out.end(), T{0});
    const std::int64_t rows = static_cast<std::int64_t>(out.size()) / columns();
    for (std::int64_t i = 0; i < rows; ++i) out[i * columns() + (row + i) % columns()] = 1;
  }
};

bool IsIdentities(const Factor& factor) {
  constexpr std::int64_t kRows = 32;
  const std::int64_t columns = factor.columns();
  if (factor.rows() % columns != 0) return false;
  std::vector<float> block, expected;
  for (std::int64_t row = 0; row < factor.rows(); row += kRows) {
    const std::int64_t rows = std::min(kRows, factor.rows() - row);
    block.resize(rows * columns);
    expected.resize(rows * columns);
    factor.Read(row, absl::MakeSpan(block));
    Identities(factor.rows(), columns).Read(row, absl::MakeSpan(expected));
    if (block != expected) return false;
  }
  return true;
}

// The weight's change that modules make together: the sum of their B * A, [d_out, d_in].
class Change final : public internal::FactorOf<Change> {
 public:
  explicit Change(std::vector<CombinedModule> modules)
      : FactorOf(modules[0].spec.d_out, modules[0].spec.d_in),
        group_rows_(modules[0].spec.d_out / modules[0].spec.layer.groups) {
    for (CombinedModule& module : modules) parts_.push_back({std::move(module)});
  }

  template <typename T>
  void ReadAs(std::int64_t row, absl::Span<T> out) const {
    std::call_once(loaded_, [this] { Load(); });
    std::vector<double> sum(out.size(), 0);
    const std::int64_t end = row + static_cast<std::int64_t>(out.size()) / columns();
    for (std::int64_t at = row; at < end;) {
      const std::int64_t next = std::min(end, (at / group_rows_ + 1) * group_rows_);  // Within one group.
      const auto rows = absl::MakeSpan(sum).subspan((at - row) * columns(), (next - at) * columns());
      for (const Part& part : parts_) AddPart(part, at, rows);
      at = next;
    }
    std::transform(sum.begin(), sum.end(), out.begin(), [](double value) { return static_cast<T>(value); });
  }

 private:
  struct Part {
    CombinedModule module;
    // Where one factor is the identity, the other is the product.
    FactorPtr product;
    std::vector<double> a;  // Else.
  };

  void Load() const {
    for (Part& part : parts_) {
      const CombinedModule& module = part.module;
      if (module.a->columns() * module.spec.layer.groups == module.rank && IsIdentities(*module.a)) {
        part.product = module.b;
      } else if (module.b->columns() == group_rows_ && IsIdentities(*module.b)) {
        part.product = module.a;
      } else {
        part.a = ReadAllDouble(*module.a);
      }
    }
  }

  void AddPart(const Part& part, std::int64_t row, absl::Span<double> sum) const {
    const Factor& left = part.product != nullptr ? *part.product : *part.module.b;
    std::vector<double> block(static_cast<std::int64_t>(sum.size()) / columns() * left.columns());
    left.Read(row, absl::MakeSpan(block));
    if (part.product != nullptr) {
      std::transform(block.begin(), block.end(), sum.begin(), sum.begin(), std::plus<>());
      return;
    }
    const std::int64_t units = left.columns();
    const absl::Span<const double> right =
        absl::MakeConstSpan(part.a).subspan(row / group_rows_ * units * columns(), units * columns());
    const absl::Status added = kernels::AddProduct(block, right, false, units, columns(), sum);
    // Who writes a factor refuses values that are not finite.
    if (!added.ok()) std::fill(sum.begin(), sum.end(), std::numeric_limits<double>::quiet_NaN());
  }

  const std::int64_t group_rows_;
  mutable std::once_flag loaded_;
  mutable std::vector<Part> parts_;
};

}  // namespace

CombinedModule ModuleOf(const LoraModule& module) {
  CombinedModule out{.spec = {module.name, module.d_in, module.d_out, module.layer}};
  out.rank = out.rank_in = module.rank;
  out.a = RowsOf({{1, module.a}});
  out.b = ColumnsOf({{module.scale, module.b}});
  return out;
}

CombinedModule UnitsOf(const CombinedModule& module, std::int64_t first, std::int64_t units) {
  if (first == 0 && units == module.rank) return module;
  const std::int64_t groups = module.spec.layer.groups, all = module.rank / groups;
  CombinedModule out{.spec = module.spec};
  out.rank = out.rank_in = units;
  if (units == 0) return out;
  std::vector<FactorPtr> runs;
  for (std::int64_t g = 0; g < groups; ++g) {
    runs.push_back(Part(module.a, g * all + first / groups, units / groups, module.spec.d_in));
  }
  out.a = Below(std::move(runs));
  out.b = std::make_shared<const ColumnRange>(module.b, first / groups, units / groups);
  return out;
}

CombinedModule Concatenated(const CombinedModule& x, const CombinedModule& y) {
  if (x.rank == 0) return y;
  if (y.rank == 0) return x;
  const std::int64_t groups = x.spec.layer.groups, d_in = x.spec.d_in;
  CombinedModule sum{.spec = x.spec};
  sum.rank = sum.rank_in = x.rank + y.rank;
  std::vector<FactorPtr> runs;
  for (std::int64_t g = 0; g < groups; ++g) {
    for (const CombinedModule* part : {&x, &y}) {
      const std::int64_t units = part->rank / groups;
      runs.push_back(groups == 1 ? part->a : Part(part->a, g * units, units, d_in));
    }
  }
  sum.a = Below(std::move(runs));
  sum.b = Beside({x.b, y.b});
  return sum;
}

std::int64_t FullRank(const ModuleSpec& spec) {
  return spec.layer.groups * std::min(spec.d_in, spec.d_out / spec.layer.groups);
}

// Whichever gives the lower rank.
CombinedModule AtFullRank(CombinedModule module, FactorPtr change) {
  const std::int64_t d_in = module.spec.d_in, d_out = module.spec.d_out, groups = module.spec.layer.groups;
  module.rank = FullRank(module.spec);
  if (module.rank == groups * d_in) {
    module.a = std::make_shared<const Identities>(module.rank, d_in);
    module.b = std::move(change);
  } else {
    module.a = std::move(change);
    module.b = std::make_shared<const Identities>(d_out, d_out / groups);
  }
  return module;
}

absl::StatusOr<CombinedModule> BoundedSum(const CombinedModule& x, const CombinedModule& y) {
  CombinedModule sum = Concatenated(x, y);
  if (sum.rank > FullRank(sum.spec)) {
    std::vector<CombinedModule> parts;
    for (const CombinedModule* part : {&x, &y}) {
      if (part->rank > 0) parts.push_back(*part);
    }
    sum = AtFullRank(std::move(sum), std::make_shared<const Change>(std::move(parts)));
  }
  if (sum.rank <= limits::kRankMax) return sum;
  return absl::FailedPreconditionError(
      absl::StrCat("module \"", sum.spec.name, "\": the sum of all rounds would have rank ", sum.rank, ", more than ",
                   limits::kRankMax, ": merge the published adapter into the base model and start a new federation"));
}

}  // namespace cairn
