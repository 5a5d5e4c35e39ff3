#include "aggregators/module_values.h"

#include <cmath>
#include <cstddef>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

absl::StatusOr<std::vector<double>> Read(const TensorView& view) {
  const auto count = static_cast<std::size_t>(view.elements());
  if (FirstNonFinite(view.dtype, view.data.data(), count) < count) {
    return absl::OutOfRangeError(absl::StrCat("tensor \"", absl::CHexEscape(view.name), "\" is not finite"));
  }
  std::vector<double> values(count);
  ToDouble(view.dtype, view.data.data(), count, values.data());
  return values;
}

// core * A.
std::vector<double> Mixed(const std::vector<double>& core, const ModuleValues& values) {
  std::vector<double> product(values.a.size());
  for (std::int64_t i = 0; i < values.rank; ++i) {
    for (std::int64_t k = 0; k < values.rank; ++k) {
      const double factor = core[i * values.rank + k];
      for (std::int64_t j = 0; j < values.d_in; ++j) {
        product[i * values.d_in + j] += factor * values.a[k * values.d_in + j];
      }
    }
  }
  return product;
}

}  // namespace

absl::StatusOr<ModuleValues> ReadValues(const LoraModule& module) {
  CAIRN_ASSIGN_OR_RETURN(std::vector<double> a, Read(module.a));
  CAIRN_ASSIGN_OR_RETURN(std::vector<double> b, Read(module.b));
  return ModuleValues{std::move(a), std::move(b), module.d_out, module.rank, module.d_in, module.scale};
}

absl::StatusOr<FactorPtr> FactorA(const LoraModule& module) {
  if (!module.core) return RowsOf({{1, module.a}});
  CAIRN_ASSIGN_OR_RETURN(const ModuleValues values, ReadValues(module));
  CAIRN_ASSIGN_OR_RETURN(const std::vector<double> core, Read(*module.core));
  return ValuesOf(Mixed(core, values), module.rank, module.d_in);
}

absl::StatusOr<double> NormOfProduct(const LoraModule& module) {
  double squared = 0;
  for (std::int64_t g = 0; g < module.layer.groups; ++g) {
    CAIRN_ASSIGN_OR_RETURN(ModuleValues values, ReadValues(GroupOf(module, g)));
    if (module.core) {
      CAIRN_ASSIGN_OR_RETURN(const std::vector<double> core, Read(*module.core));
      values.a = Mixed(core, values);
    }
    values.scale = 1;
    CAIRN_ASSIGN_OR_RETURN(const double norm, kernels::NormOf(values.Times(1)));
    squared += norm * norm;
  }
  return std::sqrt(squared);
}

}  // namespace cairn
