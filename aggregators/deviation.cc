#include "aggregators/deviation.h"

#include <cmath>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "aggregators/module_values.h"
#include "aggregators/streamed.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

// Of the magnitude of all that was added: below it inner products keep fewer than 5 digits.
constexpr double kCancelled = 1e-10;

// The parts of a difference: the inputs' group g, which count as -1, and then that of what was published.
struct Difference {
  std::vector<FactorPtr> a, b;
  std::size_t inputs = 0;
  std::int64_t sum_rank = 0;  // Of the inputs.
};

absl::StatusOr<Difference> DifferenceOf(const CombinedModule& published, absl::Span<const WeightedModule> inputs,
                                        std::int64_t group) {
  Difference out{.inputs = inputs.size()};
  for (const auto& [weight, whole] : inputs) {
    const LoraModule module = GroupOf(*whole, group);
    CAIRN_ASSIGN_OR_RETURN(out.a.emplace_back(), FactorA(module));
    out.b.push_back(ColumnsOf({{-weight * module.scale, module.b}}));
    out.sum_rank += module.rank;
  }
  const std::int64_t groups = published.spec.layer.groups;
  const std::int64_t units = published.rank / groups, rows = published.spec.d_out / groups;
  if (units == 0) return out;
  out.a.push_back(Part(published.a, group * units, units, published.spec.d_in));
  out.b.push_back(Part(published.b, group * rows, rows, units));
  return out;
}

// ||.||^2 of the first `parts` of them.
absl::StatusOr<double> FormedNorm(const Difference& difference, std::size_t parts) {
  const auto first = [parts](const std::vector<FactorPtr>& all) {
    return std::vector<FactorPtr>(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(parts));
  };
  const kernels::StreamedFactors factors = Streamed(Below(first(difference.a)), Beside(first(difference.b)));
  CAIRN_ASSIGN_OR_RETURN(const std::vector<double> inner, kernels::FormedInnerProducts(factors, {0, factors.rank}));
  return inner[0];
}

absl::StatusOr<Deviation> FormedDeviation(const Difference& difference) {
  Deviation formed;
  CAIRN_ASSIGN_OR_RETURN(formed.norm_squared, FormedNorm(difference, difference.inputs));
  CAIRN_ASSIGN_OR_RETURN(formed.error_squared, FormedNorm(difference, difference.a.size()));
  return formed;
}

absl::StatusOr<Deviation> DeviationOf(const Difference& difference, int threads) {
  const kernels::UnitFactors all = StreamedUnits(difference.a, difference.b, threads);
  if (kernels::FewerWhenFormed({all.d_out, all.rank, all.d_in}, 1)) return FormedDeviation(difference);
  CAIRN_ASSIGN_OR_RETURN(const kernels::PartProducts parts,
                         kernels::InnerProducts(all, {0, difference.sum_rank, all.rank}));
  const std::vector<double>& inner = parts.inner;
  const Deviation deviation{.error_squared = inner[0] + 2 * inner[1] + inner[3], .norm_squared = inner[0]};
  const double least = kCancelled * parts.magnitude();
  if (deviation.error_squared < least || deviation.norm_squared < least) return FormedDeviation(difference);
  return deviation;
}

absl::Status ForModule(absl::string_view name, const absl::Status& status) {
  if (status.ok() || absl::IsOutOfRange(status)) return status;  // Aggregator::Report adds the name to the latter.
  return absl::Status(status.code(), absl::StrCat("module \"", absl::CHexEscape(name), "\": ", status.message()));
}

}  // namespace

absl::StatusOr<Deviation> DeviationOf(const CombinedModule& published, absl::Span<const WeightedModule> inputs,
                                      int threads) {
  Deviation sum;
  for (std::int64_t g = 0; g < published.spec.layer.groups; ++g) {
    CAIRN_ASSIGN_OR_RETURN(const Difference difference, DifferenceOf(published, inputs, g));
    const absl::StatusOr<Deviation> part = DeviationOf(difference, threads);
    if (!part.ok()) return ForModule(published.spec.name, part.status());
    sum.error_squared += part->error_squared;
    sum.norm_squared += part->norm_squared;
  }
  if (std::isfinite(sum.error_squared) && std::isfinite(sum.norm_squared)) return sum;
  return absl::OutOfRangeError("the distance from the exact sum overflows float64");
}

}  // namespace cairn
