#include "aggregators/gram.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "aggregators/gram_modules.h"
#include "aggregators/gram_sums.h"
#include "aggregators/gram_tensors.h"
#include "base/parallel.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

using kernels::SmallMatrix;

absl::StatusOr<AdapterSpec> SpecOfAll(absl::Span<const Adapter* const> columns) {
  AdapterSpec all;
  for (const Adapter* column : columns) {
    if (column == nullptr) continue;
    AdapterSpec spec = SpecOf(*column);
    spec.base_model.clear();  // Whoever adds the updates up has compared it.
    CAIRN_ASSIGN_OR_RETURN(all, UnionOf(all, spec));
  }
  return all;
}

// Leaves what any of `wanted` names.
absl::Status Restrict(const std::vector<std::string>& wanted, AdapterSpec& spec) {
  std::vector<bool> found(wanted.size());
  const auto counts = [&](absl::string_view name) {
    bool any = false;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      if (IsOrEndsIn(name, wanted[i])) any = found[i] = true;
    }
    return any;
  };
  std::erase_if(spec.modules, [&](const ModuleSpec& module) { return !counts(module.name); });
  std::erase_if(spec.tensors, [&](const TensorSpec& tensor) { return !counts(tensor.name); });
  const auto missing = std::find(found.begin(), found.end(), false);
  if (missing == found.end()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("expected the name of a module or tensor of the updates, or the end of one behind a dot, got \"",
                   absl::CHexEscape(wanted[missing - found.begin()]), "\""));
}

// Sums and differences of some thousand such numbers stay finite, and so does what rules make of them.
constexpr double kSquaredNormMax = 1e300;

// A column that is not finite, or too long, says nothing of the others.
void Isolate(SmallMatrix& gram) {
  const std::size_t columns = gram.rows;
  for (std::size_t i = 0; i < columns; ++i) {
    if (gram.at(i, i) <= kSquaredNormMax) continue;  // Not of NaN.
    for (std::size_t j = 0; j < columns; ++j) {
      gram.at(i, j) = gram.at(j, i) = std::numeric_limits<double>::quiet_NaN();
    }
  }
}

}  // namespace

bool IsOrEndsIn(absl::string_view name, absl::string_view wanted) {
  return name == wanted || (absl::EndsWith(name, wanted) && name[name.size() - wanted.size() - 1] == '.');
}

int GramOptions::workers() const { return ThreadsOf(threads); }

absl::StatusOr<SmallMatrix> GramOf(absl::Span<const Adapter* const> columns, const GramOptions& options) {
  CAIRN_ASSIGN_OR_RETURN(AdapterSpec spec, SpecOfAll(columns));
  if (!options.modules.empty()) CAIRN_RETURN_IF_ERROR(Restrict(options.modules, spec));
  KeepOwn(options.shard, spec);
  GramSums sums(columns.size());
  CAIRN_RETURN_IF_ERROR(AddModuleProducts(columns, spec.modules, options, sums));
  CAIRN_RETURN_IF_ERROR(AddTensorProducts(columns, spec.tensors, options, sums));
  CAIRN_RETURN_IF_ERROR(SumOver(options.shard, sums.sums()));
  SmallMatrix gram = sums.Total();
  Isolate(gram);
  return gram;
}

}  // namespace cairn
