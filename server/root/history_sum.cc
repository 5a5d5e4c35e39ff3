#include "server/root/history_sum.h"

#include <algorithm>
#include <map>
#include <utility>

#include "adapter/dtype.h"
#include "adapter/find.h"
#include "aggregators/gram.h"
#include "aggregators/module_sum.h"
#include "aggregators/module_values.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

bool IsNamed(const std::string& name, absl::Span<const std::string> names) {
  return names.empty() ||
         std::any_of(names.begin(), names.end(), [&](const std::string& wanted) { return IsOrEndsIn(name, wanted); });
}

// With the core, where there is one, folded into A.
absl::StatusOr<CombinedModule> WholeOf(const LoraModule& module) {
  CombinedModule out = ModuleOf(module);
  if (module.core) {
    CAIRN_ASSIGN_OR_RETURN(out.a, FactorA(module));
  }
  return out;
}

absl::StatusOr<CombinedModule> Difference(const LoraModule& module, const LoraModule* from) {
  CAIRN_ASSIGN_OR_RETURN(CombinedModule out, WholeOf(module));
  if (from == nullptr) return out;
  LoraModule negative = *from;
  negative.scale = -negative.scale;
  CAIRN_ASSIGN_OR_RETURN(const CombinedModule taken, WholeOf(negative));
  return Concatenated(out, taken);
}

absl::StatusOr<std::vector<CombinedModule>> ModulesWith(const Adapter& before, const Adapter& update,
                                                        const Adapter& reference, absl::Span<const std::string> names) {
  std::map<std::string, CombinedModule> sums;
  for (const LoraModule& module : before.modules) {
    if (IsNamed(module.name, names)) sums.emplace(module.name, ModuleOf(module));
  }
  for (const LoraModule& module : update.modules) {
    if (!IsNamed(module.name, names)) continue;
    CAIRN_ASSIGN_OR_RETURN(const CombinedModule change, Difference(module, FindModule(reference, module.name)));
    CombinedModule& sum = sums.try_emplace(module.name, CombinedModule{.spec = change.spec}).first->second;
    CAIRN_ASSIGN_OR_RETURN(sum, BoundedSum(sum, change));
  }
  std::vector<CombinedModule> modules;
  for (auto& [name, sum] : sums) modules.push_back(std::move(sum));
  return modules;
}

std::vector<CombinedTensor> TensorsWith(const Adapter& before, const Adapter& update, const Adapter& reference,
                                        absl::Span<const std::string> names) {
  std::map<std::string, std::vector<DenseTensor>> parts;
  for (const DenseTensor& tensor : before.tensors) {
    if (IsNamed(tensor.view.name, names)) parts[tensor.view.name].push_back(tensor);
  }
  for (const DenseTensor& tensor : update.tensors) {
    if (!IsFloat(tensor.view.dtype) || !IsNamed(tensor.view.name, names)) continue;
    std::vector<DenseTensor>& sum = parts[tensor.view.name];
    sum.push_back(tensor);
    const DenseTensor* from = FindTensor(reference, tensor.view.name);
    if (from == nullptr) continue;
    sum.push_back(*from);
    sum.back().scale = -sum.back().scale;
  }
  std::vector<CombinedTensor> tensors;
  for (const auto& [name, sum] : parts) tensors.push_back(SumOfTensors(sum));
  return tensors;
}

}  // namespace

absl::StatusOr<Checkpoint> HistoryWith(const Adapter* before, const Adapter& update, const Adapter* reference,
                                       absl::Span<const std::string> names) {
  const Adapter none;
  if (before == nullptr) before = &none;
  if (reference == nullptr) reference = &none;
  for (const Adapter* other : {before, reference}) {
    const AdapterSpec spec = SpecOf(*other), sent = SpecOf(update);
    CAIRN_RETURN_IF_ERROR(UnionOf({"", spec.modules, spec.tensors}, {"", sent.modules, sent.tensors}).status());
  }
  Checkpoint sum;
  CAIRN_ASSIGN_OR_RETURN(sum.modules, ModulesWith(*before, update, *reference, names));
  sum.tensors = TensorsWith(*before, update, *reference, names);
  return sum;
}

}  // namespace cairn
