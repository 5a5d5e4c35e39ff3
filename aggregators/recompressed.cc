#include "aggregators/recompressed.h"

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "aggregators/kernels/recompress_rows.h"
#include "aggregators/read_finite.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

template <typename T>
absl::StatusOr<kernels::LowRank> RecompressAs(const Factor& a, const Factor& b, const kernels::Cut& cut,
                                              const std::string& device) {
  CAIRN_ASSIGN_OR_RETURN(const std::vector<T> a_values, ReadFinite<T>(a));
  CAIRN_ASSIGN_OR_RETURN(const std::vector<T> b_values, ReadFinite<T>(b));
  return kernels::Recompress(kernels::FactorPair<T>{a_values, b_values, b.rows(), a.rows(), a.columns()}, cut, device);
}

// Group g's factors of a module, as a pair of their own.
struct GroupFactors {
  FactorPtr a, b;
};
GroupFactors GroupOf(const CombinedModule& module, std::int64_t group) {
  const std::int64_t groups = module.spec.layer.groups;
  if (groups == 1) return {module.a, module.b};
  const std::int64_t units = module.rank / groups, rows = module.spec.d_out / groups;
  return {Part(module.a, group * units, units, module.spec.d_in), Part(module.b, group * rows, rows, units)};
}

// One module in the making.
class Cutter {
 public:
  Cutter(const CombinedModule& module, const std::string& device, Precision precision)
      : module_(module), device_(device), precision_(precision) {}

  absl::StatusOr<CombinedModule> Run(kernels::Cut cut) {
    const std::int64_t groups = module_.spec.layer.groups;
    if (cut.rank > 0) cut.rank = std::max<std::int64_t>(1, cut.rank / groups);
    std::vector<kernels::LowRank> parts;
    std::int64_t rank = 0;
    for (std::int64_t g = 0; g < groups; ++g) {
      CAIRN_ASSIGN_OR_RETURN(kernels::LowRank part, CutGroup(g, cut));
      rank = std::max(rank, part.rank);
      parts.push_back(std::move(part));
    }
    for (std::int64_t g = 0; g < groups; ++g) {  // For an energy, groups may differ.
      if (parts[g].rank == rank) continue;
      CAIRN_ASSIGN_OR_RETURN(parts[g], CutGroup(g, kernels::Cut::Rank(rank)));
    }
    return Assemble(std::move(parts), rank);
  }

 private:
  absl::StatusOr<kernels::LowRank> CutGroup(std::int64_t group, const kernels::Cut& cut) const {
    auto part = module_.change != nullptr ? CutChange(group, cut) : CutFactors(group, cut);
    if (part.ok() || absl::IsOutOfRange(part.status())) return part;
    return absl::Status(part.status().code(), absl::StrCat("module \"", absl::CHexEscape(module_.spec.name),
                                                           "\": ", part.status().message()));
  }

  absl::StatusOr<kernels::LowRank> CutFactors(std::int64_t group, const kernels::Cut& cut) const {
    const auto [a, b] = GroupOf(module_, group);
    return precision_ == Precision::kDouble ? RecompressAs<double>(*a, *b, cut, device_)
                                            : RecompressAs<float>(*a, *b, cut, device_);
  }

  absl::StatusOr<kernels::LowRank> CutChange(std::int64_t group, const kernels::Cut& cut) const {
    const std::int64_t rows = module_.spec.d_out / module_.spec.layer.groups;
    const auto read = [&](std::int64_t first, absl::Span<double> out) {
      module_.change->Read(group * rows + first, out);
      return absl::OkStatus();
    };
    return kernels::RecompressRows({rows, module_.spec.d_in, read}, cut);
  }

  CombinedModule Assemble(std::vector<kernels::LowRank> parts, std::int64_t rank) const {
    CombinedModule cut{.spec = module_.spec, .rank_in = module_.rank_in};
    const auto groups = static_cast<std::int64_t>(parts.size());
    cut.rank = rank * groups;
    cut.deviation.emplace();
    std::vector<FactorPtr> a, b;
    for (kernels::LowRank& part : parts) {
      cut.deviation->error_squared += part.error_squared;
      cut.deviation->norm_squared += part.norm_squared;
      a.push_back(ValuesOf(std::move(part.a), rank, cut.spec.d_in));
      b.push_back(ValuesOf(std::move(part.b), cut.spec.d_out / groups, rank));
    }
    cut.a = groups == 1 ? a.front() : Below(std::move(a));
    cut.b = groups == 1 ? b.front() : Below(std::move(b));
    return cut;
  }

  const CombinedModule& module_;
  const std::string& device_;
  const Precision precision_;
};

// B of a recipient, [d_out, units]: the first columns, divided by its scale. Adds what the dropped ones amount to.
std::vector<double> ColumnsFor(const CombinedModule& module, std::int64_t units, double scale, double& dropped) {
  const std::int64_t all = module.b->columns(), groups = module.spec.layer.groups;
  const std::int64_t rows = module.spec.d_out / groups;
  const std::vector<double> b = ReadAllDouble(*module.b);
  std::vector<double> kept;
  kept.reserve(static_cast<std::size_t>(module.spec.d_out * units));
  for (std::int64_t g = 0; g < groups; ++g) {
    std::vector<double> values(static_cast<std::size_t>(all));  // Singular values: squared norms of the columns.
    for (std::int64_t i = g * rows; i < (g + 1) * rows; ++i) {
      for (std::int64_t j = 0; j < all; ++j) values[j] += b[i * all + j] * b[i * all + j];
      for (std::int64_t j = 0; j < units; ++j) kept.push_back(b[i * all + j] / scale);
    }
    for (std::int64_t j = units; j < all; ++j) dropped += values[j] * values[j];
  }
  return kept;
}

FactorPtr RowsFor(const CombinedModule& module, std::int64_t units) {
  const std::int64_t all = module.b->columns(), groups = module.spec.layer.groups;
  if (units == all) return module.a;
  std::vector<FactorPtr> parts;
  for (std::int64_t g = 0; g < groups; ++g) parts.push_back(Part(module.a, g * all, units, module.spec.d_in));
  return groups == 1 ? parts.front() : Below(std::move(parts));
}

}  // namespace

absl::StatusOr<CombinedModule> Recompress(const CombinedModule& module, const kernels::Cut& cut,
                                          const std::string& device, Precision precision) {
  return Cutter(module, device, precision).Run(cut);
}

double ScaleOf(const RecipientRank& recipient) {
  return recipient.alpha > 0 ? recipient.alpha / static_cast<double>(recipient.rank) : 1;
}

CombinedModule RecipientOf(const CombinedModule& recompressed, const RecipientRank& recipient) {
  const std::int64_t groups = recompressed.spec.layer.groups;
  const std::int64_t units = std::min(recompressed.b->columns(), std::max<std::int64_t>(1, recipient.rank / groups));
  CombinedModule cut = recompressed;
  double dropped = 0;
  cut.rank = units * groups;
  cut.b = ValuesOf(ColumnsFor(recompressed, units, ScaleOf(recipient), dropped), cut.spec.d_out, units);
  cut.a = RowsFor(recompressed, units);
  if (cut.deviation) cut.deviation->error_squared += dropped;
  return cut;
}

}  // namespace cairn
