// Aggregator::Report: from the clients' updates to the result, module by module and then tensor by tensor.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "adapter/find.h"
#include "aggregators/aggregator.h"
#include "aggregators/blame.h"
#include "aggregators/check_update.h"
#include "base/limits.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

absl::Status CheckWeights(absl::Span<const double> weights, std::size_t clients) {
  if (clients == 0) return absl::FailedPreconditionError("no client contributed: there is nothing to combine");
  if (weights.size() != clients) {
    return absl::InvalidArgumentError(absl::StrCat("expected ", clients, " weights, got ", weights.size()));
  }
  double sum = 0;
  for (const double weight : weights) {
    if (!(weight >= 0) || !std::isfinite(weight)) {
      return absl::InvalidArgumentError(absl::StrCat("weights: expected finite numbers from 0 up, got ", weight));
    }
    sum += weight;
  }
  if (sum > 0 && std::isfinite(sum)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("weights: expected a positive sum, got ", sum));
}

using Holders = std::vector<std::pair<std::string, const DenseTensor*>>;

// Of those that count steps (frozen.h).
TensorView Largest(const Holders& holders) {
  const auto value = [](const DenseTensor* tensor) {
    std::int64_t steps;
    std::memcpy(&steps, tensor->view.data.data(), sizeof steps);
    return steps;
  };
  return std::max_element(holders.begin(), holders.end(),
                          [&](const auto& x, const auto& y) { return value(x.second) < value(y.second); })
      ->second->view;
}

// A tensor whose bytes are the same in all clients that have it.
absl::StatusOr<TensorView> SameInAll(const Holders& holders) {
  const TensorView& first = holders.front().second->view;
  const bool steps = std::all_of(holders.begin(), holders.end(),
                                 [](const auto& holder) { return IsStepCounter(holder.second->view); });
  if (steps) return Largest(holders);
  for (const auto& [client, tensor] : holders) {
    if (tensor->view.dtype == first.dtype && tensor->view.data == first.data) continue;
    return absl::InvalidArgumentError(absl::StrCat("tensor \"", first.name, "\" of type ", NameOf(first.dtype),
                                                   " cannot be averaged and differs between client ",
                                                   holders.front().first, " and client ", client));
  }
  return first;
}

}  // namespace

absl::Status Aggregator::Report(absl::Span<const double> weights, const ResultSink& sink) && {
  CAIRN_RETURN_IF_ERROR(CheckWeights(weights, updates_.size()));
  // AccumulateShape takes updates without bytes; combining them would read past the end of nothing.
  for (const auto& [client, update] : updates_) {
    const absl::Status bytes = CheckUpdateBytes(*update.adapter);
    if (!bytes.ok()) return absl::InvalidArgumentError(absl::StrCat("client ", client, ": ", bytes.message()));
  }
  for (const ModuleSpec& module : spec_.modules) {
    CAIRN_RETURN_IF_ERROR(Blame(ReportModule(module, weights, sink), updates_, module.name));
  }
  for (const TensorSpec& tensor : spec_.tensors) {
    CAIRN_RETURN_IF_ERROR(Blame(ReportTensor(tensor, weights, sink), updates_, tensor.name));
  }
  return absl::OkStatus();
}

std::vector<WeightedModule> Aggregator::InputsOf(absl::string_view module, absl::Span<const double> weights) const {
  std::vector<WeightedModule> inputs;
  std::size_t i = 0;
  for (const auto& [client, update] : updates_) {
    const double weight = weights[i++];
    const LoraModule* found = FindModule(*update.adapter, module);
    if (found != nullptr && weight > 0) inputs.push_back({weight, found});
  }
  return inputs;
}

absl::Status Aggregator::ReportModule(const ModuleSpec& spec, absl::Span<const double> weights,
                                      const ResultSink& sink) const {
  const std::vector<WeightedModule> inputs = InputsOf(spec.name, weights);
  if (inputs.empty()) return absl::OkStatus();
  CombinedModule combined{.spec = spec};
  for (const WeightedModule& input : inputs) combined.rank_in += input.module->rank;
  CAIRN_ASSIGN_OR_RETURN(const std::vector<WeightedModule> weighed, DoWeigh(inputs));
  CAIRN_ASSIGN_OR_RETURN(const Factors factors, CombineGroups(weighed, spec.layer.groups));
  combined.a = factors.a;
  combined.b = factors.b;
  combined.rank = combined.a->rows();
  return sink.module(combined);
}

// Groups are independent products, so each is combined by itself.
absl::StatusOr<Aggregator::Factors> Aggregator::CombineGroups(const std::vector<WeightedModule>& inputs,
                                                              std::int64_t groups) const {
  if (groups == 1) return DoCombine(inputs);
  std::vector<FactorPtr> a, b;
  for (std::int64_t g = 0; g < groups; ++g) {
    std::vector<LoraModule> parts;
    parts.reserve(inputs.size());
    std::vector<WeightedModule> group;
    for (const auto& [weight, module] : inputs) group.push_back({weight, &parts.emplace_back(GroupOf(*module, g))});
    CAIRN_ASSIGN_OR_RETURN(Factors factors, DoCombine(group));
    a.push_back(std::move(factors.a));
    b.push_back(std::move(factors.b));
  }
  return Factors{Below(std::move(a)), Below(std::move(b))};
}

// Absolute values mean something only where they are: they are averaged over the clients that have them. A delta is
// zero for the others.
absl::Status Aggregator::ReportTensor(const TensorSpec& spec, absl::Span<const double> weights,
                                      const ResultSink& sink) const {
  Holders holders;
  std::vector<ScaledView> views;
  double total = 0;
  std::size_t i = 0;
  for (const auto& [client, update] : updates_) {
    const double weight = weights[i++];
    const DenseTensor* tensor = FindTensor(*update.adapter, spec.name);
    if (tensor == nullptr || weight == 0) continue;
    holders.emplace_back(client, tensor);
    views.push_back({weight * tensor->scale, tensor->view});
    views.back().view.shape = {tensor->view.elements()};
    total += weight;
  }
  if (holders.empty()) return absl::OkStatus();
  CombinedTensor combined{.spec = spec};
  // One for all: Add refuses floats beside others (CheckTypes).
  if (!IsFloat(holders.front().second->view.dtype)) {
    CAIRN_ASSIGN_OR_RETURN(combined.same, SameInAll(holders));
    return sink.tensor(combined);
  }
  if (holders.front().second->absolute) {
    for (ScaledView& view : views) view.coefficient /= total;
  }
  const std::int64_t elements = views.front().view.elements();
  combined.values = SumOf(std::move(views), elements, 1);
  return sink.tensor(combined);
}

}  // namespace cairn
