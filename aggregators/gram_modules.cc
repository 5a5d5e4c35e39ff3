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
  bool finite = true;
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

// Replaces factors that are much larger than their product.
absl::Status Settle(Part& part) {
  const std::vector<double> a = ReadAllDouble(*part.a), b = ReadAllDouble(*part.b);
  const Values worst = std::max(Judge(a), Judge(b));
  part.finite = worst != Values::kNotFinite;
  if (!part.finite) return absl::OkStatus();
  const kernels::FactorPair<double> factors{a, b, part.b->rows(), part.a->rows(), part.a->columns()};
  const kernels::UnitSums sums = kernels::UnitSumsOf(factors);
  const double allowed = kCancelledMin * static_cast<double>(factors.rank) * sums.squared_norm;
  if (worst == Values::kModest && sums.magnitude <= allowed) return absl::OkStatus();
  CAIRN_ASSIGN_OR_RETURN(kernels::OrthonormalFactors own, kernels::Orthonormalized(factors));
  const double squared_norm = std::inner_product(own.a.begin(), own.a.end(), own.a.begin(), 0.0);
  part.finite = std::isfinite(squared_norm) && !(sums.magnitude > kCancelledMax * squared_norm);
  part.a = ValuesOf(std::move(own.a), own.rank, factors.d_in);
  part.b = ValuesOf(std::move(own.b), factors.d_out, own.rank);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Part>> PartsOf(absl::Span<const Adapter* const> columns, const ModuleSpec& spec,
                                          std::int64_t group) {
  std::vector<Part> parts;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const LoraModule* whole = columns[i] == nullptr ? nullptr : FindModule(*columns[i], spec.name);
    if (whole == nullptr) continue;
    const LoraModule module = GroupOf(*whole, group);
    Part& part = parts.emplace_back(Part{.column = i});
    absl::StatusOr<FactorPtr> a = FactorA(module);
    part.finite = !absl::IsOutOfRange(a.status());
    if (!part.finite) continue;
    CAIRN_ASSIGN_OR_RETURN(part.a, std::move(a));
    part.b = ColumnsOf({{module.scale, module.b}});
  }
  return parts;
}

// Of parts that are finite.
absl::StatusOr<std::vector<double>> InnerProductsOf(const std::vector<Part>& parts) {
  std::vector<FactorPtr> a, b;
  std::vector<std::int64_t> starts = {0};
  for (const Part& part : parts) {
    starts.push_back(starts.back() + part.a->rows());
    a.push_back(part.a);
    b.push_back(part.b);
  }
  const kernels::UnitFactors units = StreamedUnits(a, b);
  if (kernels::FewerWhenFormed({units.d_out, units.rank, units.d_in}, parts.size())) {
    return kernels::FormedInnerProducts(Streamed(Below(std::move(a)), Beside(std::move(b))), starts);
  }
  CAIRN_ASSIGN_OR_RETURN(kernels::PartProducts products, kernels::InnerProducts(units, starts));
  return std::move(products.inner);
}

absl::Status AddGroup(absl::Span<const Adapter* const> columns, const ModuleSpec& spec, std::int64_t group, int threads,
                      SmallMatrix& gram) {
  CAIRN_ASSIGN_OR_RETURN(std::vector<Part> parts, PartsOf(columns, spec, group));
  CAIRN_RETURN_IF_ERROR(ParallelFor(threads, static_cast<std::int64_t>(parts.size()), [&](int, std::int64_t i) {
    return parts[i].finite ? Settle(parts[i]) : absl::OkStatus();
  }));
  for (const Part& part : parts) {
    if (!part.finite) gram.at(part.column, part.column) = std::numeric_limits<double>::quiet_NaN();
  }
  parts.erase(std::remove_if(parts.begin(), parts.end(), [](const Part& part) { return !part.finite; }), parts.end());
  if (parts.empty()) return absl::OkStatus();
  CAIRN_ASSIGN_OR_RETURN(const std::vector<double> inner, InnerProductsOf(parts));
  for (std::size_t x = 0; x < parts.size(); ++x) {
    for (std::size_t y = 0; y < parts.size(); ++y) {
      gram.at(parts[x].column, parts[y].column) += inner[x * parts.size() + y];
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status AddModuleProducts(absl::Span<const Adapter* const> columns, const std::vector<ModuleSpec>& modules,
                               const GramOptions& options, SmallMatrix& gram) {
  const int threads = options.workers();
  for (const ModuleSpec& module : modules) {
    for (std::int64_t group = 0; group < module.layer.groups; ++group) {
      CAIRN_RETURN_IF_ERROR(InterruptGuard::Check());
      CAIRN_RETURN_IF_ERROR(AddGroup(columns, module, group, threads, gram));
    }
    CAIRN_RETURN_IF_ERROR(options.after_read());
  }
  return absl::OkStatus();
}

}  // namespace cairn
