#include "aggregators/pipeline.h"

#include <algorithm>
#include <utility>

#include "aggregators/deviation.h"
#include "aggregators/find.h"
#include "aggregators/recompressed.h"
#include "aggregators/registry.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

bool HasDoubles(const std::map<std::string, ClientUpdate>& updates) {
  for (const auto& [client, update] : updates) {
    for (const LoraModule& module : update.adapter->modules) {
      if (module.a.dtype == DType::kF64 || module.b.dtype == DType::kF64) return true;
    }
  }
  return false;
}

// The highest rank that a client has in the module.
std::int64_t WidestRank(const std::vector<WeightedModule>& inputs) {
  std::int64_t rank = 0;
  for (const WeightedModule& input : inputs) rank = std::max(rank, input.module->rank);
  return rank;
}

std::optional<double> TotalError(const std::vector<std::optional<Deviation>>& deviations) {
  Deviation total;
  for (const std::optional<Deviation>& deviation : deviations) {
    if (!deviation) return std::nullopt;
    total.error_squared += deviation->error_squared;
    total.norm_squared += deviation->norm_squared;
  }
  if (deviations.empty()) return std::nullopt;
  return total.relative();
}

}  // namespace

// From a combined module to what is published of it.
class Pipeline::Publisher {
 public:
  Publisher(const Pipeline& pipeline, const ResultSink& sink)
      : pipeline_(pipeline),
        sink_(sink),
        precision_(HasDoubles(pipeline.aggregator_->updates()) ? Precision::kDouble : Precision::kFloat) {}

  absl::Status operator()(const CombinedModule& combined) {
    const std::vector<WeightedModule> inputs = InputsOf(combined.spec.name);
    CAIRN_ASSIGN_OR_RETURN(CombinedModule published, InForm(combined, inputs));
    if (pipeline_.aggregator_->exact()) {
      // What recompression says is then the distance from dW* itself.
      if (!published.deviation) published.deviation.emplace();
    } else {
      published.deviation.reset();
      if (pipeline_.options_.measure_error) {
        CAIRN_ASSIGN_OR_RETURN(published.deviation, DeviationOf(published, inputs));
      }
    }
    modules_.push_back({published.spec.name, published.rank_in, published.rank});
    if (published.deviation) modules_.back().relative_error = published.deviation->relative();
    deviations_.push_back(published.deviation);
    return sink_.module(published);
  }

  void Finish(CombineReport& report) && {
    report.modules = std::move(modules_);
    report.relative_error = TotalError(deviations_);
  }

 private:
  std::vector<WeightedModule> InputsOf(const std::string& name) const {
    std::vector<WeightedModule> inputs;
    std::size_t i = 0;
    for (const auto& [client, update] : pipeline_.aggregator_->updates()) {
      const double weight = pipeline_.weights_[i++].weight;
      const LoraModule* module = FindModule(*update.adapter, name);
      if (module != nullptr && weight > 0) inputs.push_back({weight, module});
    }
    return inputs;
  }

  absl::StatusOr<CombinedModule> InForm(const CombinedModule& combined, const std::vector<WeightedModule>& inputs) {
    kernels::Cut cut;
    switch (pipeline_.publish_.kind) {
      case PublishForm::Kind::kStack:
      case PublishForm::Kind::kMerged:
        return combined;
      case PublishForm::Kind::kRank:
        cut = kernels::Cut::Rank(pipeline_.publish_.rank);
        break;
      case PublishForm::Kind::kEnergy:
        cut = kernels::Cut::Energy(pipeline_.publish_.energy);
        break;
      case PublishForm::Kind::kRanks:
        cut = kernels::Cut::Rank(pipeline_.ranks_max_);
        break;
      case PublishForm::Kind::kWidest:
        cut = kernels::Cut::Rank(WidestRank(inputs));
        break;
    }
    return Recompress(combined, cut, pipeline_.options_.device, precision_);
  }

  const Pipeline& pipeline_;
  const ResultSink& sink_;
  const Precision precision_;
  std::vector<ModuleReport> modules_;
  std::vector<std::optional<Deviation>> deviations_;
};

absl::StatusOr<Pipeline> Pipeline::Create(const PipelineOptions& options) {
  Pipeline pipeline;
  pipeline.options_ = options;
  CAIRN_RETURN_IF_ERROR(CheckGuards(options.guards));
  CAIRN_ASSIGN_OR_RETURN(pipeline.rule_, MakeWeightRule(options.rule));
  CAIRN_ASSIGN_OR_RETURN(pipeline.aggregator_, MakeAggregator(options.combine));
  pipeline.publish_ = options.publish.value_or(pipeline.aggregator_->default_publish());
  return pipeline;
}

// Values are looked at where they are read to be combined: a file of many GiB is read once.
absl::Status Pipeline::Add(const ClientUpdate& update) { return aggregator_->AccumulateShape(update); }

absl::StatusOr<PipelinePlan> Pipeline::Plan() {
  const std::map<std::string, ClientUpdate>& updates = aggregator_->updates();
  if (updates.empty()) return absl::FailedPreconditionError("no client contributed: there is nothing to combine");
  CAIRN_ASSIGN_OR_RETURN(weights_, rule_->Weigh(updates));
  PipelinePlan plan{aggregator_->spec(), aggregator_->ranks(), {}};
  std::size_t i = 0;
  double sum = 0;
  for (const auto& [client, update] : updates) {
    const ClientWeight& weight = weights_[i++];
    sum += weight.weight;
    plan.clients.push_back({client, update.examples, weight.weight, weight.accepted, weight.reason});
  }
  if (!(sum > 0)) return absl::InvalidArgumentError("the total weight is zero: no client counts");
  return plan;
}

absl::StatusOr<CombineReport> Pipeline::Run(const ResultSink& sink) && {
  CombineReport report{.combine = options_.combine, .rule = options_.rule, .publish = ToString(publish_)};
  std::vector<double> weights;
  std::size_t i = 0;
  for (const auto& [client, update] : aggregator_->updates()) {
    const ClientWeight& weight = weights_[i++];
    weights.push_back(weight.weight);
    report.clients.push_back({client, update.examples, weight.weight, weight.accepted, weight.reason});
  }
  if (options_.gram) {
    CAIRN_ASSIGN_OR_RETURN(report.gram, GramOf(aggregator_->updates()));
  }
  Publisher publisher(*this, sink);
  const ResultSink combined{[&](const CombinedModule& module) { return publisher(module); }, sink.tensor};
  CAIRN_RETURN_IF_ERROR(std::move(*aggregator_).Report(weights, combined));
  std::move(publisher).Finish(report);
  return report;
}

}  // namespace cairn
