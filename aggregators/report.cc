// Aggregator::Report: from the clients' updates to the result, module by module and then tensor by tensor.
#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "adapter/find.h"
#include "aggregators/aggregator.h"
#include "aggregators/averages.h"
#include "aggregators/blame.h"
#include "aggregators/check_update.h"
#include "aggregators/sum_blocks.h"
#include "aggregators/totals.h"
#include "base/limits.h"
#include "base/status_macros.h"

namespace cairn {
absl::Status Aggregator::CheckWeights(absl::Span<const double> weights, double total) const {
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
  if (!(total > 0 && std::isfinite(total))) {
    return absl::InvalidArgumentError(absl::StrCat("weights: expected a total above 0, got ", total));
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
    const absl::Status bytes =
        CheckUpdateBytes(shard_ == nullptr ? *update.adapter : OwnPart(*shard_, *update.adapter));
    if (!bytes.ok()) return absl::InvalidArgumentError(absl::StrCat("client ", client, ": ", bytes.message()));
  }
  return absl::OkStatus();
}

absl::Status Aggregator::Report(absl::Span<const double> counts, const ResultSink& sink, double total) && {
  CAIRN_RETURN_IF_ERROR(CheckWeights(counts, total));
  const ReportWeights weights{counts, total};
  // AccumulateShape takes updates without bytes; combining them would read past the end of nothing.
  CAIRN_RETURN_IF_ERROR(CheckBytes());
  for (const ModuleSpec& module : spec_.modules) {
    if (!OwnsModule(shard_.get(), module.name)) continue;
    CAIRN_RETURN_IF_ERROR(Blame(ReportModule(module, weights, sink), updates_, module.name));
  }
  for (const TensorSpec& tensor : spec_.tensors) {
    if (!OwnsTensor(shard_.get(), tensor.name)) continue;
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

absl::Status Aggregator::ReportModule(const ModuleSpec& spec, const ReportWeights& weights,
                                      const ResultSink& sink) const {
  std::vector<WeightedModule> inputs = InputsOf(spec.name, weights.counts);
  if (inputs.empty()) return absl::OkStatus();
  CombinedModule combined{.spec = spec};
  for (const WeightedModule& input : inputs) combined.rank_in += input.module->rank;
  if (!summed()) {
    for (WeightedModule& input : inputs) input.weight /= weights.total;
    CAIRN_ASSIGN_OR_RETURN(inputs, DoWeigh(inputs));
  }
  CAIRN_ASSIGN_OR_RETURN(const Factors factors, CombineGroups(inputs, spec.layer.groups, weights));
  combined.a = factors.a;
  combined.b = factors.b;
  combined.rank = combined.a->rows();
  return sink.module(combined);
}

// Groups are independent products, so each is combined by itself.
absl::StatusOr<Aggregator::Factors> Aggregator::CombineGroups(const std::vector<WeightedModule>& inputs,
                                                              std::int64_t groups, const ReportWeights& weights) const {
  if (groups == 1) return CombineOne(inputs, weights);
  std::vector<FactorPtr> a, b;
  for (std::int64_t g = 0; g < groups; ++g) {
    std::vector<LoraModule> parts;
    parts.reserve(inputs.size());
    std::vector<WeightedModule> group;
    for (const auto& [weight, module] : inputs) group.push_back({weight, &parts.emplace_back(GroupOf(*module, g))});
    CAIRN_ASSIGN_OR_RETURN(Factors factors, CombineOne(group, weights));
    a.push_back(std::move(factors.a));
    b.push_back(std::move(factors.b));
  }
  return Factors{Below(std::move(a)), Below(std::move(b))};
}

absl::StatusOr<Aggregator::Factors> Aggregator::CombineOne(absl::Span<const WeightedModule> inputs,
                                                           const ReportWeights& weights) const {
  const std::optional<Summed> parts = summed();
  if (!parts) return DoCombine(inputs);
  const std::int64_t rank = WidestRank(inputs);
  const LoraModule& any = *inputs[0].module;
  Factors factors{parts->a ? AverageA(inputs, rank) : RowsOf({{1, any.a}}),
                  parts->b ? SumB(inputs, rank, weights.total) : RowsOf({{1, any.b}})};
  return Finish(std::move(factors), parts->core ? SumOfCores(inputs, rank, weights.total) : nullptr);
}

absl::StatusOr<Aggregator::Factors> Aggregator::Finish(Factors factors, FactorPtr) const { return factors; }
absl::StatusOr<Aggregator::Factors> Aggregator::DoCombine(absl::Span<const WeightedModule>) const {
  return absl::InternalError(absl::StrCat("combine ", name(), " does not say how it combines"));
}

// What the sum of absolute values, each times its count, is divided by. Beside factors: the counts of those who have
// them, so that they are averaged. By themselves: their part of all weights, so that they are what the rule makes of
// them.
absl::StatusOr<double> Aggregator::ShareOf(absl::string_view tensor, double holders,
                                           const ReportWeights& weights) const {
  const double all = spec_.modules.empty() ? TotalOf(weights.counts) / weights.total : 1;
  if (holders == all) return 1;
  if (holders > 0 && all > 0) return holders / all;
  return absl::InvalidArgumentError(
      absl::StrCat("tensor \"", absl::CHexEscape(tensor),
                   "\" cannot be averaged: the weights of the clients that have it sum to ", holders));
}

// Absolute values mean something only where they are: they are averaged over the clients that have them. A delta is
// zero for the others.
absl::Status Aggregator::ReportTensor(const TensorSpec& spec, const ReportWeights& weights,
                                      const ResultSink& sink) const {
  TensorHolders holders;
  std::vector<ScaledView> views;
  std::vector<double> counts;
  std::size_t i = 0;
  for (const auto& [name, adapter] : Contributors()) {
    const double weight = weights.counts[i++];
    const DenseTensor* tensor = FindTensor(*adapter, spec.name);
    if (tensor == nullptr || weight == 0) continue;
    if (i > updates_.size() && !IsFloat(tensor->view.dtype)) continue;  // Those beside may be of an earlier round.
    holders.emplace_back(name, tensor);
    views.push_back({weight * tensor->scale, tensor->view});
    views.back().view.shape = {tensor->view.elements()};
    counts.push_back(weight);
  }
  if (holders.empty()) return absl::OkStatus();
  CombinedTensor combined{.spec = spec};
  // One for all: Add refuses floats beside others (CheckTypes).
  if (!IsFloat(holders.front().second->view.dtype)) {
    CAIRN_ASSIGN_OR_RETURN(combined.same, SameInAll(holders));
    return sink.tensor(combined);
  }
  double divisor = weights.total;
  if (holders.front().second->absolute) {
    CAIRN_ASSIGN_OR_RETURN(divisor, ShareOf(spec.name, TotalOf(counts), weights));
  }
  combined.values = SumOfTensor(std::move(views), divisor);
  return sink.tensor(combined);
}

FactorPtr Aggregator::SumOfTensor(std::vector<ScaledView> views, double divisor) const {
  const std::int64_t elements = views.front().view.elements();
  if (!ordered_sums_) return QuotientOf(std::move(views), {elements, 1, divisor, SumBlockRows(1)});
  for (ScaledView& view : views) view.coefficient /= divisor;
  return OrderedSumOf(std::move(views), elements, 1);
}

}  // namespace cairn
