// Aggregator::Report: from the clients' updates to the result, module by module and then tensor by tensor.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "adapter/find.h"
#include "aggregators/aggregator.h"
#include "aggregators/blame.h"
#include "aggregators/check_update.h"
#include "base/limits.h"
#include "base/status_macros.h"

namespace cairn {
absl::Status Aggregator::CheckWeights(absl::Span<const double> weights) const {
  if (updates_.empty()) return absl::FailedPreconditionError("no client contributed: there is nothing to combine");
  const std::size_t expected = updates_.size() + beside_.size();
  if (weights.size() != expected) {
    return absl::InvalidArgumentError(absl::StrCat("expected ", expected, " weights, got ", weights.size()));
  }
  double magnitude = 0;
  for (const double weight : weights) {
    if (!std::isfinite(weight) || (weight < 0 && !linear())) {
      return absl::InvalidArgumentError(
          absl::StrCat("weights: expected finite numbers", linear() ? "" : " from 0 up", ", got ", weight));
    }
    magnitude += std::abs(weight);
  }
  if (magnitude > 0 && std::isfinite(magnitude)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("weights: expected a positive sum, got ", magnitude));
}

std::vector<std::pair<std::string, const Adapter*>> Aggregator::Contributors() const {
  std::vector<std::pair<std::string, const Adapter*>> all;
  for (const auto& [client, update] : updates_) all.emplace_back(client, update.adapter);
  all.insert(all.end(), beside_.begin(), beside_.end());
  return all;
}

absl::Status Aggregator::CheckBytes() const {
  for (const auto& [client, update] : updates_) {
    const absl::Status bytes = CheckUpdateBytes(*update.adapter);
    if (!bytes.ok()) return absl::InvalidArgumentError(absl::StrCat("client ", client, ": ", bytes.message()));
  }
  return absl::OkStatus();
}

absl::Status Aggregator::Report(absl::Span<const double> weights, const ResultSink& sink) && {
  CAIRN_RETURN_IF_ERROR(CheckWeights(weights));
  // AccumulateShape takes updates without bytes; combining them would read past the end of nothing.
  CAIRN_RETURN_IF_ERROR(CheckBytes());
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
  for (const auto& [name, adapter] : Contributors()) {
    const double weight = weights[i++];
    const LoraModule* found = FindModule(*adapter, module);
    if (found != nullptr && weight != 0) inputs.push_back({weight, found});
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

// What absolute values are divided by. Beside factors: the weight of those who have them, so that they are averaged. By
// themselves: its part of all weights, so that they are what the rule makes of them.
absl::StatusOr<double> Aggregator::ShareOf(absl::string_view tensor, double holders,
                                           absl::Span<const double> weights) const {
  const double all = spec_.modules.empty() ? std::accumulate(weights.begin(), weights.end(), 0.0) : 1;
  if (holders == all) return 1;
  if (holders > 0 && all > 0) return holders / all;
  return absl::InvalidArgumentError(
      absl::StrCat("tensor \"", absl::CHexEscape(tensor),
                   "\" cannot be averaged: the weights of the clients that have it sum to ", holders));
}

// Absolute values mean something only where they are: they are averaged over the clients that have them. A delta is
// zero for the others.
absl::Status Aggregator::ReportTensor(const TensorSpec& spec, absl::Span<const double> weights,
                                      const ResultSink& sink) const {
  TensorHolders holders;
  std::vector<ScaledView> views;
  double total = 0;
  std::size_t i = 0;
  for (const auto& [name, adapter] : Contributors()) {
    const double weight = weights[i++];
    const DenseTensor* tensor = FindTensor(*adapter, spec.name);
    if (tensor == nullptr || weight == 0) continue;
    if (i > updates_.size() && !IsFloat(tensor->view.dtype)) continue;  // Those beside may be of an earlier round.
    holders.emplace_back(name, tensor);
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
    CAIRN_ASSIGN_OR_RETURN(const double share, ShareOf(spec.name, total, weights));
    for (ScaledView& view : views) view.coefficient /= share;
  }
  const std::int64_t elements = views.front().view.elements();
  combined.values = ordered_sums_ ? OrderedSumOf(std::move(views), elements, 1) : SumOf(std::move(views), elements, 1);
  return sink.tensor(combined);
}

}  // namespace cairn
