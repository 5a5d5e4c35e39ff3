#include "aggregators/pipeline.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "adapter/find.h"
#include "aggregators/averages.h"
#include "aggregators/deviation.h"
#include "aggregators/gram.h"
#include "aggregators/kernels/exact_sums.h"
#include "aggregators/module_sum.h"
#include "aggregators/not_finite.h"
#include "aggregators/recompressed.h"
#include "aggregators/registry.h"
#include "aggregators/rounded.h"
#include "aggregators/shard_agreement.h"
#include "base/parallel.h"
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

// Of all modules of all shards together.
absl::StatusOr<std::optional<double>> TotalError(const Shard* shard,
                                                 const std::vector<std::optional<Deviation>>& deviations) {
  enum { kError, kNorm, kModules, kUnknown, kSums };
  kernels::ExactSums sums(kSums);
  for (const std::optional<Deviation>& deviation : deviations) {
    sums.Add(kModules, 1);
    sums.Add(kUnknown, deviation ? 0 : 1);
    if (deviation) sums.Add(kError, {deviation->error_squared, deviation->norm_squared});
  }
  CAIRN_RETURN_IF_ERROR(SumOver(shard, sums));
  if (sums.Total(kModules) == 0 || sums.Total(kUnknown) > 0) return std::optional<double>();
  return Deviation{sums.Total(kError), sums.Total(kNorm)}.relative();
}

absl::string_view BytesOf(const std::vector<double>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(double)};
}

// As the report has them: clients that do not count may have values that are not finite.
absl::StatusOr<std::vector<std::vector<double>>> InnerProductsOf(const Aggregator& aggregator,
                                                                 absl::Span<const double> weights,
                                                                 const GramOptions& options) {
  std::vector<const Adapter*> columns;
  for (const auto& [client, update] : aggregator.updates()) columns.push_back(update.adapter);
  CAIRN_ASSIGN_OR_RETURN(const kernels::SmallMatrix gram, GramOf(columns, options));
  std::vector<std::vector<double>> rows;
  for (const auto& [client, update] : aggregator.updates()) {
    const std::size_t i = rows.size();
    if (!std::isfinite(gram.at(i, i)) && weights[i] != 0) {
      CAIRN_ASSIGN_OR_RETURN(const std::vector<std::string> found, WhatIsNotFinite(options.shard, {update.adapter}));
      return absl::InvalidArgumentError(
          absl::StrCat("client ", client, ": ", found[0].empty() ? "inner products overflow float64" : found[0]));
    }
    rows.emplace_back(gram.values.begin() + i * gram.columns, gram.values.begin() + (i + 1) * gram.columns);
  }
  return rows;
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
    CAIRN_ASSIGN_OR_RETURN(CombinedModule published, InForm(combined));
    // For exact rules, what recompression says is the distance from dW* itself, or from what a coordinate-wise rule
    // gave.
    const bool exact = pipeline_.aggregator_->exact() || combined.change != nullptr;
    if (!exact) published.deviation.reset();
    if (exact && !published.deviation) published.deviation.emplace();
    // Before measuring: values that cannot be written are the sink's to refuse.
    CAIRN_RETURN_IF_ERROR(sink_.module(published));
    if (combined.change == nullptr && (exact ? MeasuresRounding() : Measures(published))) {
      CAIRN_ASSIGN_OR_RETURN(published.deviation,
                             DeviationOf(AsWritten(published), inputs, ThreadsOf(pipeline_.options_.threads)));
    }
    modules_.push_back({published.spec.name, published.rank_in, published.rank});
    if (published.deviation) modules_.back().relative_error = published.deviation->relative();
    deviations_.push_back(published.deviation);
    return absl::OkStatus();
  }

  absl::Status Finish(CombineReport& report) && {
    report.modules = std::move(modules_);
    CAIRN_ASSIGN_OR_RETURN(report.relative_error, TotalError(pipeline_.options_.shard.get(), deviations_));
    report.coordinate_wise = pipeline_.coordinates_.has_value();
    report.dtype = pipeline_.options_.dtype;
    const bool measured = MeasuresRounding() && !pipeline_.coordinates_;
    report.before_rounding = report.dtype && IsNarrow(*report.dtype) && !measured;
    return absl::OkStatus();
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

  absl::StatusOr<CombinedModule> InForm(const CombinedModule& combined) {
    kernels::Cut cut;
    switch (pipeline_.publish_.kind) {
      case PublishForm::Kind::kStack:
      case PublishForm::Kind::kMerged:
        if (combined.change != nullptr) return AtFullRank(combined, combined.change);
        if (!GrowsForEver(combined)) return combined;
        cut = kernels::Cut::Rank(FullRank(combined.spec));
        break;
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
        cut = kernels::Cut::Rank(WidestClient(combined.spec.name));
        break;
    }
    return Recompress(combined, cut, pipeline_.options_.device, precision_);
  }

  // What rounds hand on to one another would have a higher rank every time.
  bool GrowsForEver(const CombinedModule& combined) const {
    return weights_.size() > pipeline_.aggregator_->clients() && combined.rank > FullRank(combined.spec);
  }

  std::int64_t WidestClient(const std::string& module) const {
    std::vector<double> own(weights_.begin(), weights_.end());
    std::fill(own.begin() + static_cast<std::ptrdiff_t>(pipeline_.aggregator_->clients()), own.end(), 0.0);
    return std::max<std::int64_t>(1, WidestRank(pipeline_.aggregator_->InputsOf(module, own)));
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
  pipeline.aggregator_->Share(options.shard);
  pipeline.publish_ = options.publish.value_or(pipeline.aggregator_->default_publish());
  return pipeline;
}

// Values are looked at where they are read to be combined: a file of many GiB is read once.
absl::Status Pipeline::Add(const ClientUpdate& update) { return aggregator_->AccumulateShape(update); }

absl::StatusOr<PipelinePlan> Pipeline::Plan() {
  if (aggregator_->updates().empty()) {
    return absl::FailedPreconditionError("no client contributed: there is nothing to combine");
  }
  CAIRN_RETURN_IF_ERROR(weighing_->CheckCombine(*aggregator_, memory_.reference != nullptr));
  CAIRN_RETURN_IF_ERROR(CheckForm());
  CAIRN_RETURN_IF_ERROR(CheckMemory());
  CAIRN_RETURN_IF_ERROR(CheckShards());
  const bool looks = weighing_->drops_not_finite() && !options_.known_finite;
  if (weighing_->needs_gram() || weighing_->rule().coordinate_wise() || looks)
    CAIRN_RETURN_IF_ERROR(aggregator_->CheckBytes());
  if (weighing_->needs_gram()) aggregator_->UseOrderedSums();
  const Shard* const shard = options_.shard.get();
  const GramOptions options{
      .modules = options_.rule_modules, .threads = options_.threads, .after_read = options_.after_read, .shard = shard};
  CAIRN_ASSIGN_OR_RETURN(const WeighingOutput weighed,
                         WeighRound(*weighing_, *aggregator_, memory_, options, options_.round, options_.known_finite));
  clients_.clear();
  clients_.reserve(weighed.clients.size());
  weights_.clear();
  for (const auto& [client, update] : aggregator_->updates()) {
    const ClientWeight& weight = weighed.clients[clients_.size()];
    clients_.push_back(
        {client, update.examples, weight.weight, weight.accepted, weight.reason, weight.distance, weight.cosine});
    weights_.push_back(weight.weight);
  }
  UseCounts(weighed.total);
  // Machines whose processors or libraries differ may find others: better no result than one of pieces that do not fit.
  std::vector<double> all = weights_;
  all.insert(all.end(), {weighed.last, weighed.reference});
  all.insert(all.end(), weighed.mixing.values.begin(), weighed.mixing.values.end());
  CAIRN_RETURN_IF_ERROR(CheckSame(shard, "weights", BytesOf(all)));
  if (weighed.coordinates) {
    UseCoordinates(weighed);
  } else {
    CAIRN_RETURN_IF_ERROR(UseWeights(weighed));
  }
  PipelinePlan plan{aggregator_->spec(), {}, clients_};
  KeepOwn(shard, plan.spec);
  for (std::size_t m = 0; m < aggregator_->ranks().size(); ++m) {
    const ModuleSpec& module = aggregator_->spec().modules[m];
    if (!OwnsModule(shard, module.name)) continue;
    const std::int64_t rank = aggregator_->ranks()[m];
    plan.ranks.push_back(weights_.size() > clients_.size() ? std::min(rank, FullRank(module)) : rank);
  }
  return plan;
}

// What earlier rounds left has the clients' shapes; and where weights are no shares, there is something to measure
// values from that are no changes.
absl::Status Pipeline::CheckMemory() const {
  for (const Adapter* adapter : {memory_.last, memory_.reference}) {
    if (adapter == nullptr) continue;
    AdapterSpec clients = aggregator_->spec(), own = SpecOf(*adapter);
    clients.base_model.clear();
    own.base_model.clear();
    const absl::Status fits = UnionOf(clients, own).status();
    if (fits.ok()) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        adapter == memory_.last ? "what the last round gave: " : "what updates are measured from: ", fits.message()));
  }
  if (weighing_->rule().shares() || aggregator_->spec().modules.empty()) return absl::OkStatus();
  for (const auto& [client, update] : aggregator_->updates()) {
    for (const DenseTensor& tensor : update.adapter->tensors) {
      if (!tensor.absolute || !IsFloat(tensor.view.dtype)) continue;
      if (memory_.reference != nullptr && FindTensor(*memory_.reference, tensor.view.name) != nullptr) continue;
      return absl::InvalidArgumentError(absl::StrCat(
          "rule ", weighing_->rule().name(), ": tensor \"", absl::CHexEscape(tensor.view.name), "\" of client ", client,
          " is a value, not a change, and the rule's weights are no shares that it could be averaged with: measure "
          "updates from the adapter that the clients started from (--relative-to, relative_to_published), or choose "
          "another rule"));
    }
  }
  return absl::OkStatus();
}

// What any client has, or earlier rounds left.
absl::StatusOr<AdapterSpec> Pipeline::SpecWithMemory() const {
  AdapterSpec all = aggregator_->spec();
  std::vector<const Adapter*> memory = {memory_.last, memory_.reference};
  for (const auto& [client, history] : memory_.histories) memory.push_back(history);
  for (const Adapter* adapter : memory) {
    if (adapter == nullptr) continue;
    AdapterSpec own = SpecOf(*adapter);
    own.base_model.clear();  // Published ones have the name that the server was given.
    CAIRN_ASSIGN_OR_RETURN(all, UnionOf(all, own));
  }
  return all;
}

// What shards must have in common: what is asked for, the clients and all shapes.
std::string Pipeline::DescribeRound(const AdapterSpec& all) const {
  std::string text = absl::StrJoin({options_.combine, options_.rule, ToString(publish_),
                                    absl::StrJoin(options_.guards, " "), absl::StrJoin(options_.rule_modules, " ")},
                                   "\n");
  absl::StrAppend(&text, "\n", options_.round, " ", options_.gram, " ", options_.known_finite, "\n");
  for (const auto& [client, update] : aggregator_->updates()) {
    absl::StrAppend(&text, client, " ", absl::StrFormat("%.17g", update.examples), "\n");
  }
  for (const ModuleSpec& module : all.modules) {
    absl::StrAppend(&text, module.name, " ", module.d_out, " ", module.d_in, "\n");
  }
  for (const TensorSpec& tensor : all.tensors) {
    absl::StrAppend(&text, tensor.name, " ", absl::StrJoin(tensor.shape, " "), "\n");
  }
  return text;
}

absl::Status Pipeline::CheckShards() const {
  const Shard* const shard = options_.shard.get();
  if (shard == nullptr) return absl::OkStatus();
  CAIRN_ASSIGN_OR_RETURN(const AdapterSpec all, SpecWithMemory());
  CAIRN_RETURN_IF_ERROR(CheckSame(shard, "round: options, clients and shapes", DescribeRound(all)));
  return CheckOwners(shard, all);
}

// A result without weights has no factors to be stacked.
absl::Status Pipeline::CheckForm() {
  if (!weighing_->rule().coordinate_wise() || publish_.kind != PublishForm::Kind::kStack) return absl::OkStatus();
  if (aggregator_->spec().modules.empty()) return absl::OkStatus();
  if (options_.publish) {
    return absl::InvalidArgumentError(absl::StrCat("publish stack: rule ", weighing_->rule().name(),
                                                   " looks at products entry by entry, which leaves no factors to "
                                                   "stack: expected rank=N, energy=E, widest, ranks=FILE or merged"));
  }
  publish_.kind = PublishForm::Kind::kWidest;
  return absl::OkStatus();
}

void Pipeline::UseCounts(double total) {
  total_ = total;
  counts_.clear();
  for (std::size_t i = 0; i < clients_.size() && total > 0; ++i) {
    counts_.push_back(weights_[i] == 0 ? 0 : clients_[i].examples);
  }
}

absl::Status Pipeline::UseWeights(const WeighingOutput& weighed) {
  const bool none = std::all_of(weights_.begin(), weights_.end(), [](double weight) { return weight == 0; });
  if (none && weighed.last == 0 && weighed.reference == 0) {
    return absl::InvalidArgumentError(absl::StrCat("rule ", weighing_->rule().name(),
                                                   ": the total weight is zero: no client counts; the first of them, ",
                                                   clients_.front().id, ": ", clients_.front().reason));
  }
  CAIRN_RETURN_IF_ERROR(AddBeside("what the last round gave", memory_.last, weighed.last));
  return AddBeside("what updates are measured from", memory_.reference, weighed.reference);
}

absl::Status Pipeline::AddBeside(absl::string_view name, const Adapter* adapter, double weight) {
  if (weight == 0) return absl::OkStatus();
  weights_.push_back(weight);
  return aggregator_->AddBeside(name, *adapter);
}

void Pipeline::UseCoordinates(const WeighingOutput& weighed) {
  coordinates_.emplace(CoordinatePlan{.rule = *weighed.coordinates, .mixing = {}, .reference = memory_.reference});
  std::vector<std::size_t>& clients = coordinates_->clients;
  for (std::size_t i = 0; i < weights_.size(); ++i) {
    if (weights_[i] > 0) clients.push_back(i);
  }
  if (weighed.mixing.values.empty()) return;
  coordinates_->mixing = kernels::SmallMatrix::Zero(clients.size(), weighed.mixing.columns);
  for (std::size_t i = 0; i < clients.size(); ++i) {
    for (std::size_t j = 0; j < weighed.mixing.columns; ++j) {
      coordinates_->mixing.at(i, j) = weighed.mixing.at(clients[i], j);
    }
  }
}

absl::Status Pipeline::Report(const ResultSink& sink) {
  const bool counted = total_ > 0 && counts_.size() == weights_.size();  // Nothing beside the clients has a weight.
  if (!coordinates_ && counted) return std::move(*aggregator_).Report(counts_, sink, total_);
  if (!coordinates_) return std::move(*aggregator_).Report(weights_, sink);
  OutcomeTally tally(clients_.size());
  const Shard* const shard = options_.shard.get();
  CAIRN_RETURN_IF_ERROR(ReportCoordinates(*aggregator_, *coordinates_, shard, tally, sink));
  CAIRN_RETURN_IF_ERROR(SumOver(shard, tally.sums()));
  for (const std::size_t i : coordinates_->clients) {
    clients_[i].distance = std::sqrt(tally.apart(i));
    const double norms = std::sqrt(tally.own(i)) * std::sqrt(tally.result());
    if (norms > 0 && std::isfinite(norms)) clients_[i].cosine = std::clamp(tally.inner(i) / norms, -1.0, 1.0);
  }
  return absl::OkStatus();
}

absl::StatusOr<CombineReport> Pipeline::Run(const ResultSink& sink) && {
  CombineReport report{
      .combine = options_.combine, .rule = options_.rule, .guards = options_.guards, .publish = ToString(publish_)};
  if (options_.gram) {
    CAIRN_ASSIGN_OR_RETURN(report.gram, InnerProductsOf(*aggregator_, weights_,
                                                        {.threads = options_.threads,
                                                         .after_read = options_.after_read,
                                                         .shard = options_.shard.get()}));
  }
  Publisher publisher(*this, weights_, sink);
  const ResultSink combined{[&](const CombinedModule& module) { return publisher(module); }, sink.tensor};
  CAIRN_RETURN_IF_ERROR(Report(combined));
  report.clients = std::move(clients_);
  CAIRN_RETURN_IF_ERROR(std::move(publisher).Finish(report));
  return report;
}

}  // namespace cairn
