// From the updates of one round to the result as it is published: weights, combination, compression, and an account of
// all of it. `cairn aggregate` and the server run this very code. No files here: updates come as views, modules go to a
// sink one by one (aggregators/result_writer.h writes them, aggregators/merge_base.h adds them to a base model).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "aggregators/aggregator.h"
#include "aggregators/combine_report.h"
#include "aggregators/combined.h"
#include "aggregators/coordinate_result.h"
#include "aggregators/publish_form.h"
#include "aggregators/round_weights.h"
#include "aggregators/shard.h"
#include "aggregators/weighing.h"

namespace cairn {

// Up to this summed rank the error of a cut is measured of rules that are not exact, too: it costs about as much as the
// cut. Beyond it, O((d_in + d_out) R^2) for a module of R units is too much to do unasked.
inline constexpr std::int64_t kMeasuredRankMax = 512;

struct PipelineOptions {
  std::string combine = "stack";       // NAME[:key=value,...]; docs/rules.md.
  std::string rule = "examples";       // How much each client counts.
  std::vector<std::string> guards;     // In the order in which they are applied.
  std::optional<PublishForm> publish;  // None: Aggregator::default_publish.
  std::string device = "cpu";          // "cpu" or "cuda:N": where modules are compressed.
  // The type that modules are written with; none: it depends on the module (merged).
  std::optional<DType> dtype = DType::kF32;
  // Also where it takes work to know: of rules that are not exact, and of rounding to a type narrower than F32
  // (aggregators/deviation.h).
  bool measure_error = false;  // Also of rules that are not exact, whatever their rank.
  bool gram = false;           // The clients' inner products, for CombineReport::gram.
  // The modules (and tensors) that rules and guards look at: a name, or the end of one behind a dot, as in PEFT's
  // target_modules. Empty: all.
  std::vector<std::string> rule_modules;
  std::uint64_t round = 0;  // For guards that draw lots.
  // All values were found to be finite before, as a server does when they arrive: coordinate-wise rules need not look.
  bool known_finite = false;
  int threads = 0;  // Of rules that read all updates; 0: one a processor.
  // This process has a part of the modules and tensors, other processes the others: all of them plan and run the same,
  // with the same options otherwise. Null: it has all.
  std::shared_ptr<const Shard> shard;
  // Called now and then while updates are read to be weighed, by one thread: pages may be dropped. An error ends it.
  std::function<absl::Status()> after_read = [] { return absl::OkStatus(); };
};

// What is known before anything is combined.
struct PipelinePlan {
  AdapterSpec spec;                 // Every module and tensor of the result; of a shard, its own.
  std::vector<std::int64_t> ranks;  // Of the result, by module: upper bounds, for reserving space.
  std::vector<ClientReport> clients;
};

class Pipeline {
 public:
  // NOT_FOUND: no such rule, with the names that there are. INVALID_ARGUMENT: its options, the device.
  static absl::StatusOr<Pipeline> Create(const PipelineOptions& options);

  // As Aggregator::Accumulate. The adapter's views must live until Run returns; its pages may be dropped meanwhile.
  absl::Status Add(const ClientUpdate& update);

  // Before Plan.
  void Remember(RoundMemory memory) { memory_ = std::move(memory); }
  // What of it the rule looks at.
  Rule::Needs needs() const { return weighing_->rule().needs(); }

  // Weighs the clients: rules that look at the updates read them here, once. Further clients must not be added.
  // FAILED_PRECONDITION without any; INVALID_ARGUMENT when the rule refuses them, when no client counts, or when the
  // combine rule or the form of publishing cannot do with what the rule gives; GramOf's errors. With a shard, what
  // shard_agreement.h says, and the shard's errors; all shards get the same weights.
  absl::StatusOr<PipelinePlan> Plan();

  // Combines, with `sink` receiving every module and tensor in its published form. REQUIRES: Plan was called.
  // The forms kStack and kMerged give modules as combined. kRanks gives them cut to `ranks_max`, in descending order of
  // singular values: RecipientOf (aggregators/recompressed.h) cuts them further for each recipient.
  // A shard gives `sink` what is its own, and reports its own modules; what is said of clients, and of all modules
  // together, is complete on every shard.
  // Errors: Aggregator::Report's, recompression's, the sink's. `seconds` and `bytes` of the report are the caller's.
  absl::StatusOr<CombineReport> Run(const ResultSink& sink) &&;

  const Aggregator& aggregator() const { return *aggregator_; }
  const PublishForm& publish() const { return publish_; }
  // For kRanks: the highest rank of any recipient, 1 or more. REQUIRES before Plan.
  void set_ranks_max(std::int64_t rank) { ranks_max_ = rank; }

 private:
  class Publisher;
  Pipeline() = default;

  absl::Status CheckForm();
  absl::Status CheckMemory() const;
  void UseCounts(double total);
  absl::StatusOr<AdapterSpec> SpecWithMemory() const;
  std::string DescribeRound(const AdapterSpec& all) const;
  absl::Status CheckShards() const;
  absl::Status UseWeights(const WeighingOutput& weighed);
  void UseCoordinates(const WeighingOutput& weighed);
  absl::Status AddBeside(absl::string_view name, const Adapter* adapter, double weight);
  absl::Status Report(const ResultSink& sink);

  PipelineOptions options_;
  PublishForm publish_;
  std::int64_t ranks_max_ = 0;
  std::unique_ptr<Aggregator> aggregator_;
  std::optional<Weighing> weighing_;
  RoundMemory memory_;
  std::vector<double> counts_;  // Of clients, where weights_ are counts_ / total_; else there are none.
  double total_ = 0;
  std::vector<double> weights_;                // Of clients, then of adapters beside them. Once planned.
  std::optional<CoordinatePlan> coordinates_;  // Instead, for rules that have no weights.
  std::vector<ClientReport> clients_;          // Once planned.
};

}  // namespace cairn
