#include "aggregators/coordinate_result.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "adapter/find.h"
#include "aggregators/blame.h"
#include "aggregators/coordinate_rows.h"
#include "aggregators/frozen.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

using internal::CoordinateColumns;
using internal::DenseColumnPtr;
using kernels::CoordinateRule;
using kernels::SmallMatrix;

// The rule for `columns` left of `before`: none if its bound does not hold any more.
std::optional<CoordinateRule> RuleFor(CoordinateRule rule, std::size_t columns, std::size_t before) {
  const std::size_t trimmed = rule.kind == CoordinateRule::Kind::kTrimmedMean ? rule.count : rule.trim;
  const bool nearest = kernels::TakesNearest(rule);
  if (2 * trimmed >= columns || 2 * columns <= before) return std::nullopt;
  const std::size_t gone = before - columns;
  if (nearest && rule.count <= gone) return std::nullopt;
  if (nearest) rule.count -= gone;
  return rule;
}

// Mixtures of those that `kept` names, each as large as before; those of nobody else are left out.
SmallMatrix MixingOf(const SmallMatrix& mixing, const std::vector<std::size_t>& kept) {
  std::vector<std::pair<std::size_t, double>> columns;  // And by what they grow.
  for (std::size_t j = 0; j < mixing.columns; ++j) {
    double all = 0, own = 0;
    for (std::size_t i = 0; i < mixing.rows; ++i) all += mixing.at(i, j);
    for (const std::size_t i : kept) own += mixing.at(i, j);
    if (own > 0) columns.emplace_back(j, all / own);
  }
  SmallMatrix out = SmallMatrix::Zero(kept.size(), columns.size());
  for (std::size_t i = 0; i < kept.size(); ++i) {
    for (std::size_t j = 0; j < columns.size(); ++j) {
      out.at(i, j) = mixing.at(kept[i], columns[j].first) * columns[j].second;
    }
  }
  return out;
}

// The plan without clients that have nothing to vote for; none when those who have it do not outvote the others.
std::optional<CoordinatePlan> PlanFor(const CoordinatePlan& plan, const std::vector<std::size_t>& holders) {
  if (holders.size() == plan.clients.size()) return plan;
  if (2 * holders.size() <= plan.clients.size()) return std::nullopt;
  CoordinatePlan own{.reference = plan.reference};
  for (const std::size_t i : holders) own.clients.push_back(plan.clients[i]);
  const bool mixed = !plan.mixing.values.empty();
  if (mixed) own.mixing = MixingOf(plan.mixing, holders);
  const std::optional<CoordinateRule> rule = mixed ? RuleFor(plan.rule, own.mixing.columns, plan.mixing.columns)
                                                   : RuleFor(plan.rule, holders.size(), plan.clients.size());
  if (!rule) return std::nullopt;
  own.rule = *rule;
  return own;
}

class Reporter {
 public:
  Reporter(const Aggregator& aggregator, const CoordinatePlan& plan, OutcomeTally& tally) : plan_(plan), tally_(tally) {
    std::size_t i = 0, next = 0;
    for (const auto& [client, update] : aggregator.updates()) {
      if (next < plan.clients.size() && plan.clients[next] == i++) {
        names_.push_back(client);
        adapters_.push_back(update.adapter);
        ++next;
      }
    }
  }

  absl::Status Module(const ModuleSpec& spec, const ResultSink& sink) const {
    CombinedModule combined{.spec = spec};
    CoordinateColumns columns;
    for (const Adapter* adapter : adapters_) {
      const LoraModule* module = FindModule(*adapter, spec.name);
      if (module != nullptr) combined.rank_in += module->rank;
      CAIRN_ASSIGN_OR_RETURN(columns.clients.emplace_back(), ColumnOf(module));
    }
    if (combined.rank_in == 0) return absl::OkStatus();
    if (plan_.reference != nullptr) {
      CAIRN_ASSIGN_OR_RETURN(columns.reference, ColumnOf(FindModule(*plan_.reference, spec.name)));
    }
    combined.change = internal::CoordinateRows(spec.d_out, spec.d_in, plan_, std::move(columns), tally_);
    return sink.module(combined);
  }

  // A delta is zero for those who lack it. Of absolute values nothing can be said for them: they do not vote.
  absl::Status Tensor(const TensorSpec& spec, const ResultSink& sink) const {
    CombinedTensor combined{.spec = spec};
    TensorHolders holders;
    std::vector<std::size_t> voting;
    CoordinateColumns columns;
    const bool deltas = AllAreDeltas(spec.name);
    for (std::size_t i = 0; i < adapters_.size(); ++i) {
      const DenseTensor* tensor = FindTensor(*adapters_[i], spec.name);
      if (tensor != nullptr) holders.emplace_back(names_[i], tensor);
      if (tensor == nullptr && !deltas) continue;
      voting.push_back(i);
      columns.clients.push_back(tensor == nullptr ? nullptr : internal::TensorColumn(*tensor));
    }
    if (holders.empty()) return absl::OkStatus();
    const DenseTensor& first = *holders.front().second;
    if (!IsFloat(first.view.dtype)) {
      CAIRN_ASSIGN_OR_RETURN(combined.same, SameInAll(holders));
      return sink.tensor(combined);
    }
    std::optional<CoordinatePlan> plan = PlanFor(plan_, voting);
    if (!plan) return absl::OkStatus();  // Most say that there is no such tensor.
    const DenseTensor* own = plan_.reference == nullptr ? nullptr : FindTensor(*plan_.reference, spec.name);
    if (own != nullptr && IsFloat(own->view.dtype)) columns.reference = internal::TensorColumn(*own);
    combined.values = internal::CoordinateRows(first.view.elements(), 1, *std::move(plan), std::move(columns), tally_);
    return sink.tensor(combined);
  }

 private:
  static absl::StatusOr<DenseColumnPtr> ColumnOf(const LoraModule* module) {
    if (module == nullptr) return nullptr;
    return internal::ProductColumn(*module);
  }

  bool AllAreDeltas(absl::string_view name) const {
    return std::all_of(adapters_.begin(), adapters_.end(), [&](const Adapter* adapter) {
      const DenseTensor* tensor = FindTensor(*adapter, name);
      return tensor == nullptr || !tensor->absolute;
    });
  }

  const CoordinatePlan& plan_;
  OutcomeTally& tally_;
  std::vector<std::string> names_;
  std::vector<const Adapter*> adapters_;
};

}  // namespace

absl::Status ReportCoordinates(const Aggregator& aggregator, const CoordinatePlan& plan, const Shard* shard,
                               OutcomeTally& tally, const ResultSink& sink) {
  CAIRN_RETURN_IF_ERROR(aggregator.CheckBytes());
  const Reporter reporter(aggregator, plan, tally);
  for (const ModuleSpec& module : aggregator.spec().modules) {
    if (!OwnsModule(shard, module.name)) continue;
    CAIRN_RETURN_IF_ERROR(Blame(reporter.Module(module, sink), aggregator.updates(), module.name));
  }
  for (const TensorSpec& tensor : aggregator.spec().tensors) {
    if (!OwnsTensor(shard, tensor.name)) continue;
    CAIRN_RETURN_IF_ERROR(Blame(reporter.Tensor(tensor, sink), aggregator.updates(), tensor.name));
  }
  return absl::OkStatus();
}

}  // namespace cairn
