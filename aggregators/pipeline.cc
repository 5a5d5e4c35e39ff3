#include "aggregators/pipeline.h"

#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "aggregators/averages.h"
#include "aggregators/blame.h"
#include "aggregators/deviation.h"
#include "aggregators/gram.h"
#include "aggregators/recompressed.h"
#include "aggregators/registry.h"
#include "aggregators/rounded.h"
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

bool IsNarrow(DType dtype) { return SizeOf(dtype) < SizeOf(DType::kF32); }

// The clients' inner products. INVALID_ARGUMENT: a client's values are not finite.
absl::StatusOr<std::vector<std::vector<double>>> ClientGram(const std::map<std::string, ClientUpdate>& updates) {
  std::vector<const Adapter*> columns;
  for (const auto& [client, update] : updates) columns.push_back(update.adapter);
  CAIRN_ASSIGN_OR_RETURN(const kernels::SmallMatrix gram, GramOf(columns));
  std::vector<std::vector<double>> rows;
  for (const auto& [client, update] : updates) {
    const auto row = gram.values.begin() + static_cast<std::ptrdiff_t>(rows.size() * gram.columns);
    if (std::isnan(row[rows.size()])) {
      const absl::Status finite = CheckFinite(*update.adapter);
      if (finite.ok())
        return absl::OutOfRangeError(absl::StrCat("client ", client, ": inner products overflow float64"));
      return BlameClient(absl::InvalidArgumentError(absl::StrCat("client ", client, ": ", finite.message())), client);
    }
    rows.emplace_back(row, row + static_cast<std::ptrdiff_t>(gram.columns));
  }
  return rows;
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
  Publisher(const Pipeline& pipeline, absl::Span<const double> weights, const ResultSink& sink)
      : pipeline_(pipeline),
        weights_(weights),
        sink_(sink),
        precision_(HasDoubles(pipeline.aggregator_->updates()) ? Precision::kDouble : Precision::kFloat) {}

  absl::Status operator()(const CombinedModule& combined) {
    const std::vector<WeightedModule> inputs = pipeline_.aggregator_->InputsOf(combined.spec.name, weights_);
    CAIRN_ASSIGN_OR_RETURN(CombinedModule published, InForm(combined, inputs));
    // For exact rules, what recompression says is the distance from dW* itself.
    const bool exact = pipeline_.aggregator_->exact();
    if (!exact) published.deviation.reset();
    if (exact && !published.deviation) published.deviation.emplace();
    // Before measuring: values that cannot be written are the sink's to refuse.
    CAIRN_RETURN_IF_ERROR(sink_.module(published));
    if (exact ? MeasuresRounding() : Measures(published)) {
      CAIRN_ASSIGN_OR_RETURN(published.deviation, DeviationOf(AsWritten(published), inputs));
    }
    modules_.push_back({published.spec.name, published.rank_in, published.rank});
    if (published.deviation) modules_.back().relative_error = published.deviation->relative();
    deviations_.push_back(published.deviation);
    return absl::OkStatus();
  }

  void Finish(CombineReport& report) && {
    report.modules = std::move(modules_);
    report.relative_error = TotalError(deviations_);
    report.dtype = pipeline_.options_.dtype;
    report.before_rounding = report.dtype && IsNarrow(*report.dtype) && !MeasuresRounding();
  }

 private:
  bool Measures(const CombinedModule& published) const {
    if (pipeline_.options_.measure_error) return true;
    const bool cut = pipeline_.publish_.kind != PublishForm::Kind::kStack && WritesFactors();
    return cut && published.rank_in <= kMeasuredRankMax;
  }
  // Merged weights and the files of recipients are rounded by themselves, not the factors that are seen here.
  bool WritesFactors() const {
    return pipeline_.publish_.kind != PublishForm::Kind::kMerged &&
           pipeline_.publish_.kind != PublishForm::Kind::kRanks;
  }
  bool MeasuresRounding() const {
    const std::optional<DType> dtype = pipeline_.options_.dtype;
    return pipeline_.options_.measure_error && WritesFactors() && dtype && IsNarrow(*dtype);
  }
  CombinedModule AsWritten(CombinedModule module) const {
    if (!WritesFactors() || !pipeline_.options_.dtype) return module;
    module.a = Rounded(std::move(module.a), *pipeline_.options_.dtype);
    module.b = Rounded(std::move(module.b), *pipeline_.options_.dtype);
    return module;
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
  const absl::Span<const double> weights_;
  const ResultSink& sink_;
  const Precision precision_;
  std::vector<ModuleReport> modules_;
  std::vector<std::optional<Deviation>> deviations_;
};

absl::StatusOr<Pipeline> Pipeline::Create(const PipelineOptions& options) {
  Pipeline pipeline;
  pipeline.options_ = options;
  CAIRN_ASSIGN_OR_RETURN(pipeline.weighing_, Weighing::Create(options.rule, options.guards));
  CAIRN_ASSIGN_OR_RETURN(pipeline.aggregator_, MakeAggregator(options.combine));
  pipeline.publish_ = options.publish.value_or(pipeline.aggregator_->default_publish());
  return pipeline;
}

// Values are looked at where they are read to be combined: a file of many GiB is read once.
absl::Status Pipeline::Add(const ClientUpdate& update) { return aggregator_->AccumulateShape(update); }

absl::StatusOr<PipelinePlan> Pipeline::Plan() {
  const std::map<std::string, ClientUpdate>& updates = aggregator_->updates();
  if (updates.empty()) return absl::FailedPreconditionError("no client contributed: there is nothing to combine");
  WeighingInput input;
  for (const auto& [client, update] : updates) {
    input.clients.push_back(client);
    input.examples.push_back(update.examples);
  }
  CAIRN_ASSIGN_OR_RETURN(const WeighingOutput weighed, weighing_->Weigh(input));
  clients_.clear();
  double sum = 0;
  for (const auto& [client, update] : updates) {
    const ClientWeight& weight = weighed.clients[clients_.size()];
    sum += weight.weight;
    clients_.push_back(
        {client, update.examples, weight.weight, weight.accepted, weight.reason, weight.distance, weight.cosine});
  }
  if (!(sum > 0)) return absl::InvalidArgumentError("the total weight is zero: no client counts");
  return PipelinePlan{aggregator_->spec(), aggregator_->ranks(), clients_};
}

absl::StatusOr<CombineReport> Pipeline::Run(const ResultSink& sink) && {
  CombineReport report{.combine = options_.combine, .rule = options_.rule, .publish = ToString(publish_)};
  std::vector<double> weights;
  for (const ClientReport& client : clients_) weights.push_back(client.weight);
  report.clients = std::move(clients_);
  if (options_.gram) {
    CAIRN_ASSIGN_OR_RETURN(report.gram, ClientGram(aggregator_->updates()));
  }
  Publisher publisher(*this, weights, sink);
  const ResultSink combined{[&](const CombinedModule& module) { return publisher(module); }, sink.tensor};
  CAIRN_RETURN_IF_ERROR(std::move(*aggregator_).Report(weights, combined));
  std::move(publisher).Finish(report);
  return report;
}

}  // namespace cairn
