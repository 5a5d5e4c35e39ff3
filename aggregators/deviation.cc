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

// Forming the product takes fewer multiplications than the inner products of all pairs of units.
bool FewerWhenFormed(const kernels::StreamedFactors& units) {
  const auto rank = static_cast<double>(units.rank), d_in = static_cast<double>(units.d_in),
             d_out = static_cast<double>(units.d_out);
  return rank * (d_in + d_out) > 2 * d_in * d_out;
}

// Group g of published, below and beside the sum of the inputs' group g, which counts as -1.
struct Difference {
  FactorPtr a, b;          // Of the sum.
  FactorPtr all_a, all_b;  // With what was published.
  std::int64_t sum_rank = 0;
};

absl::StatusOr<Difference> DifferenceOf(const CombinedModule& published, absl::Span<const WeightedModule> inputs,
                                        std::int64_t group) {
  Difference out;
  std::vector<FactorPtr> a, b;
  for (const auto& [weight, whole] : inputs) {
    const LoraModule module = GroupOf(*whole, group);
    CAIRN_ASSIGN_OR_RETURN(a.emplace_back(), FactorA(module));
    b.push_back(ColumnsOf({{-weight * module.scale, module.b}}));
  }
  out.all_a = out.a = Below(std::move(a));
  out.all_b = out.b = Beside(std::move(b));
  const std::int64_t groups = published.spec.layer.groups;
  const std::int64_t units = published.rank / groups, rows = published.spec.d_out / groups;
  if (units == 0) return out;
  out.all_a = Below({out.a, Part(published.a, group * units, units, published.spec.d_in)});
  out.all_b = Beside({out.b, Part(published.b, group * rows, rows, units)});
  return out;
}

absl::StatusOr<Deviation> FormedDeviation(const Difference& difference) {
  Deviation formed;
  CAIRN_ASSIGN_OR_RETURN(formed.norm_squared, kernels::SquaredNorm(Streamed(difference.a, difference.b)));
  CAIRN_ASSIGN_OR_RETURN(formed.error_squared, kernels::SquaredNorm(Streamed(difference.all_a, difference.all_b)));
  return formed;
}

absl::StatusOr<Deviation> DeviationOf(const Difference& difference) {
  const kernels::StreamedFactors all = Streamed(difference.all_a, difference.all_b);
  if (FewerWhenFormed(all)) return FormedDeviation(difference);
  CAIRN_ASSIGN_OR_RETURN(const kernels::PartProducts parts,
                         kernels::InnerProducts(all, {0, difference.a->rows(), all.rank}));
  const std::vector<double>& inner = parts.inner;
  const Deviation deviation{.error_squared = inner[0] + 2 * inner[1] + inner[3], .norm_squared = inner[0]};
  const double least = kCancelled * parts.magnitude;
  if (deviation.error_squared < least || deviation.norm_squared < least) return FormedDeviation(difference);
  return deviation;
}

absl::Status ForModule(absl::string_view name, const absl::Status& status) {
  if (status.ok() || absl::IsOutOfRange(status)) return status;  // Aggregator::Report adds the name to the latter.
  return absl::Status(status.code(), absl::StrCat("module \"", absl::CHexEscape(name), "\": ", status.message()));
}

}  // namespace

absl::StatusOr<Deviation> DeviationOf(const CombinedModule& published, absl::Span<const WeightedModule> inputs) {
  Deviation sum;
  for (std::int64_t g = 0; g < published.spec.layer.groups; ++g) {
    CAIRN_ASSIGN_OR_RETURN(const Difference difference, DifferenceOf(published, inputs, g));
    const absl::StatusOr<Deviation> part = DeviationOf(difference);
    if (!part.ok()) return ForModule(published.spec.name, part.status());
    sum.error_squared += part->error_squared;
    sum.norm_squared += part->norm_squared;
  }
  if (std::isfinite(sum.error_squared) && std::isfinite(sum.norm_squared)) return sum;
  return absl::OutOfRangeError("the distance from the exact sum overflows float64");
}

}  // namespace cairn
