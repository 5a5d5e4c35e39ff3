#include "aggregators/gram_modules.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <utility>

#include "adapter/find.h"
#include "aggregators/kernels/orthonormal.h"
#include "aggregators/kernels/unit_sums.h"
#include "aggregators/module_values.h"
#include "aggregators/streamed.h"
#include "base/interrupt.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

using kernels::SmallMatrix;

// Of ||dW||^2 and a unit: how much larger the factors may be, squared. What inner products of units lose beyond it is
// more than 1e-13.
constexpr double kCancelledMin = 16;
// Of ||dW||^2: factors that cancel further than to 1e-12 leave no digits that are worth to have.
constexpr double kCancelledMax = 1e24;
// Magnitudes whose squares float64 holds, with room for sums of them and for the other factor's.
constexpr double kLeast = 1e-120, kMost = 1e120;

// Group g of a module of one column.
struct Part {
  std::size_t column = 0;
  FactorPtr a, b;
  bool doubles = false;  // Some of its values are float64, whose squares may be too large or too small for float64.
  bool finite = true;
  bool settled = false;  // Settle was called.
  bool strict = true;    // GramOptions::strict
};

enum class Values { kModest, kExtreme, kNotFinite };

Values Judge(absl::Span<const double> values) {
  bool extreme = false;
  double zero = 0;
  for (const double value : values) {
    const double magnitude = std::abs(value);
    zero += value - value;  // NaN unless it is finite.
    extreme |= magnitude > kMost || (magnitude < kLeast && magnitude > 0);
  }
  return zero != 0 ? Values::kNotFinite : extreme ? Values::kExtreme : Values::kModest;
}

// Whether factors whose units' lengths sum to `norms` are not much larger than their product. False for NaN.
bool AreModest(double norms, std::int64_t rank, double squared_norm) {
  return norms * norms <= kCancelledMin * static_cast<double>(rank) * squared_norm;
}

// Replaces factors that are much larger than their product, and finds out whether all values are finite.
absl::Status Settle(Part& part) {
  part.settled = true;
  const std::vector<double> a = ReadAllDouble(*part.a), b = ReadAllDouble(*part.b);
  const Values worst = std::max(Judge(a), Judge(b));
  part.finite = worst != Values::kNotFinite;
  if (!part.finite) return absl::OkStatus();
  const kernels::FactorPair<double> factors{a, b, part.b->rows(), part.a->rows(), part.a->columns()};
  const kernels::UnitSums sums = kernels::UnitSumsOf(factors);
  if (worst == Values::kModest && AreModest(std::sqrt(sums.magnitude), factors.rank, sums.squared_norm)) {
    return absl::OkStatus();
  }
  CAIRN_ASSIGN_OR_RETURN(kernels::OrthonormalFactors own, kernels::Orthonormalized(factors));
  const double squared_norm = std::inner_product(own.a.begin(), own.a.end(), own.a.begin(), 0.0);
  part.finite = std::isfinite(squared_norm) && !(part.strict && sums.magnitude > kCancelledMax * squared_norm);
  part.a = ValuesOf(std::move(own.a), own.rank, factors.d_in);
  part.b = ValuesOf(std::move(own.b), factors.d_out, own.rank);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Part>> PartsOf(absl::Span<const Adapter* const> columns, const ModuleSpec& spec,
                                          std::int64_t group, std::size_t strict) {
  std::vector<Part> parts;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const LoraModule* whole = columns[i] == nullptr ? nullptr : FindModule(*columns[i], spec.name);
    if (whole == nullptr) continue;
    const LoraModule module = GroupOf(*whole, group);
    Part& part = parts.emplace_back(Part{.column = i, .strict = i < strict});
    absl::StatusOr<FactorPtr> a = FactorA(module);
    part.finite = !absl::IsOutOfRange(a.status());
    if (!part.finite) continue;
    CAIRN_ASSIGN_OR_RETURN(part.a, std::move(a));
    part.b = ColumnsOf({{module.scale, module.b}});
    part.doubles = module.a.dtype == DType::kF64 || module.b.dtype == DType::kF64;
  }
  return parts;
}

// Settles those that `wanted` says, and takes out what is not finite.
template <typename Wanted>
absl::Status SettleParts(std::vector<Part>& parts, int threads, SmallMatrix& gram, Wanted wanted) {
  CAIRN_RETURN_IF_ERROR(ParallelFor(threads, static_cast<std::int64_t>(parts.size()), [&](int, std::int64_t i) {
    return parts[i].finite && wanted(i) ? Settle(parts[i]) : absl::OkStatus();
  }));
  for (const Part& part : parts) {
    if (!part.finite) gram.at(part.column, part.column) = std::numeric_limits<double>::quiet_NaN();
  }
  std::erase_if(parts, [](const Part& part) { return !part.finite; });
  return absl::OkStatus();
}

struct Stacked {
  std::vector<FactorPtr> a, b;
  std::vector<std::int64_t> starts = {0};
  kernels::UnitFactors units(int threads) const { return StreamedUnits(a, b, threads); }
};

Stacked StackOf(const std::vector<Part>& parts) {
  Stacked stacked;
  for (const Part& part : parts) {
    stacked.starts.push_back(stacked.starts.back() + part.a->rows());
    stacked.a.push_back(part.a);
    stacked.b.push_back(part.b);
  }
  return stacked;
}

bool FewerWhenFormed(const std::vector<Part>& parts) {
  std::int64_t rank = 0;
  for (const Part& part : parts) rank += part.a == nullptr ? 0 : part.a->rows();
  const Part& any = parts.front();
  return any.a != nullptr && kernels::FewerWhenFormed({any.b->rows(), rank, any.a->columns()}, parts.size());
}

// From units. Whether factors are much larger than their product is seen in the products themselves: only then they are
// settled, and all is done again.
absl::StatusOr<std::vector<double>> UnitProducts(std::vector<Part>& parts, int threads, SmallMatrix& gram) {
  while (true) {
    const Stacked stacked = StackOf(parts);
    CAIRN_ASSIGN_OR_RETURN(kernels::PartProducts products,
                           kernels::InnerProducts(stacked.units(threads), stacked.starts));
    const auto unsettled = [&](std::size_t i) {
      const double own = products.inner[i * products.norms.size() + i];
      return !parts[i].settled && !AreModest(products.norms[i], parts[i].a->rows(), own);
    };
    bool again = false;
    for (std::size_t i = 0; i < parts.size(); ++i) again |= unsettled(i);
    if (!again) return std::move(products.inner);
    CAIRN_RETURN_IF_ERROR(SettleParts(parts, threads, gram, unsettled));
    if (parts.empty()) return std::vector<double>();
  }
}

absl::Status AddGroup(absl::Span<const Adapter* const> columns, const ModuleSpec& spec, std::int64_t group,
                      const GramOptions& options, SmallMatrix& gram) {
  const int threads = options.workers();
  CAIRN_ASSIGN_OR_RETURN(std::vector<Part> parts, PartsOf(columns, spec, group, options.strict));
  const bool formed = !parts.empty() && FewerWhenFormed(parts);
  CAIRN_RETURN_IF_ERROR(SettleParts(parts, threads, gram, [&](std::size_t i) { return formed || parts[i].doubles; }));
  if (parts.empty()) return absl::OkStatus();
  std::vector<double> inner;
  if (formed) {
    Stacked stacked = StackOf(parts);
    const kernels::StreamedFactors factors = Streamed(Below(std::move(stacked.a)), Beside(std::move(stacked.b)));
    CAIRN_ASSIGN_OR_RETURN(inner, kernels::FormedInnerProducts(factors, stacked.starts));
  } else {
    CAIRN_ASSIGN_OR_RETURN(inner, UnitProducts(parts, threads, gram));
  }
  for (std::size_t x = 0; x < parts.size(); ++x) {
    for (std::size_t y = 0; y < parts.size(); ++y) {
      gram.at(parts[x].column, parts[y].column) += inner[x * parts.size() + y];
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status AddModuleProducts(absl::Span<const Adapter* const> columns, const std::vector<ModuleSpec>& modules,
                               const GramOptions& options, GramSums& gram) {
  SmallMatrix own = SmallMatrix::Zero(columns.size(), columns.size());
  for (const ModuleSpec& module : modules) {
    std::fill(own.values.begin(), own.values.end(), 0.0);
    for (std::int64_t group = 0; group < module.layer.groups; ++group) {
      CAIRN_RETURN_IF_ERROR(InterruptGuard::Check());
      WorkProgress::Made();
      CAIRN_RETURN_IF_ERROR(AddGroup(columns, module, group, options, own));
    }
    gram.Add(own);
    CAIRN_RETURN_IF_ERROR(options.after_read());
  }
  return absl::OkStatus();
}

}  // namespace cairn
