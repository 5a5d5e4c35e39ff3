// What clients must agree on is for the rule to say: a sum of some is shown to it as one client that has everything
// they have.
#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "adapter/find.h"
#include "aggregators/partial/state.h"
#include "aggregators/registry.h"
#include "base/status_macros.h"

namespace cairn::internal {
namespace {

template <typename T, typename Name>
void AddMissing(const std::vector<T>& from, Name name_of, std::vector<T>& all) {
  const auto before = [&](const T& x, const T& y) { return name_of(x) < name_of(y); };
  std::vector<T> together;
  std::set_union(all.begin(), all.end(), from.begin(), from.end(), std::back_inserter(together), before);
  all = std::move(together);
}

// Equal elements stay those of `all`: scales and types are of those who had them first.
void Unite(const Adapter& newcomer, Adapter& all) {
  AddMissing(
      newcomer.modules, [](const LoraModule& module) -> const std::string& { return module.name; }, all.modules);
  AddMissing(
      newcomer.tensors, [](const DenseTensor& tensor) -> const std::string& { return tensor.view.name; }, all.tensors);
}

void SetRank(LoraModule& module, std::int64_t rank) {
  module.rank = rank;
  module.a.shape = {rank, module.d_in};
  module.b.shape = {module.d_out, rank / module.layer.groups};
  if (module.core) module.core->shape = {rank, rank};
}

// What is of the delta and what is a value is told by the names of tensors, so clients agree; who does not, would
// change what the sum of the others means.
absl::Status CheckAbsolute(const Newcomer& newcomer, const Adapter& all) {
  for (const DenseTensor& tensor : newcomer.shape->tensors) {
    const DenseTensor* other = FindTensor(all, tensor.view.name);
    if (other == nullptr || other->absolute == tensor.absolute) continue;
    return absl::InvalidArgumentError(absl::StrCat("client ", newcomer.client, ": tensor \"", tensor.view.name,
                                                   "\" is a value in some clients and a change in others"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Aggregator>> MakeSumRule(const std::string& combine) {
  CAIRN_ASSIGN_OR_RETURN(std::shared_ptr<const Aggregator> rule, MakeAggregator(combine));
  if (rule->summed()) return rule;
  return absl::InvalidArgumentError(
      absl::StrCat("combine ", combine, ": what it gives is no quotient of sums over the clients"));
}

absl::StatusOr<PartialShape> ShapeWith(const std::string& combine, const std::vector<Contributor>& before,
                                       const PartialShape& shape, absl::Span<const Newcomer> newcomers,
                                       std::int64_t blocks_max) {
  CAIRN_ASSIGN_OR_RETURN(const std::unique_ptr<Aggregator> check, MakeAggregator(combine));
  if (!before.empty()) CAIRN_RETURN_IF_ERROR(check->AccumulateShape({before.front().client, 1, &shape.common}));
  PartialShape next;
  next.common = shape.common;
  for (const Newcomer& newcomer : newcomers) {
    CAIRN_RETURN_IF_ERROR(check->AccumulateShape({newcomer.client, 1, newcomer.shape}));
    CAIRN_RETURN_IF_ERROR(CheckAbsolute(newcomer, next.common));
    if (next.common.modules.empty() && next.common.tensors.empty()) next.common.config = newcomer.shape->config;
    if (next.common.config.json.empty()) next.common.config.json = newcomer.shape->config.json;
    Unite(*newcomer.shape, next.common);
  }
  next.spec = check->spec();
  next.ranks = check->ranks();
  next.common.config.base_model = next.spec.base_model;
  for (std::size_t m = 0; m < next.ranks.size(); ++m) SetRank(next.common.modules[m], next.ranks[m]);
  CAIRN_ASSIGN_OR_RETURN(next.layout, LayoutOf(next.common, *check->summed(), blocks_max));
  return next;
}

Adapter WithoutBytes(const Adapter& adapter) {
  Adapter shape = adapter;
  const auto drop = [](TensorView& view) { view.data = view.mapping = {}; };
  for (LoraModule& module : shape.modules) {
    drop(module.a);
    drop(module.b);
    if (module.core) drop(*module.core);
  }
  for (DenseTensor& tensor : shape.tensors) drop(tensor.view);
  return shape;
}

}  // namespace cairn::internal
