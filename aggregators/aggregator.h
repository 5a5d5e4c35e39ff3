// A combine rule: takes the updates of one round, gives one adapter.
//
// Notation, per module: update i is dW_i = s_i B_i A_i, A_i [r_i, d_in], B_i [d_out, r_i]; w_i is its weight, by
// default n_i / sum(n) for example counts n_i (aggregators/rule.h). Rules differ in how they merge factors
// (docs/rules.md).
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "adapter/lora.h"
#include "aggregators/combined.h"
#include "aggregators/frozen.h"
#include "aggregators/publish_form.h"
#include "aggregators/shard.h"

namespace cairn {

// What a worker may own. The planner reads this; a rule never knows where it runs.
enum class Locality {
  kMergeable,   // A leaf owns clients; partial states add. FedAvg, stacking.
  kShardLocal,  // A leaf owns modules of all clients. Rules that look at all factors of a module at once.
};

// How clients start the next round from the result.
enum class RoundStart {
  kMerge,     // The result is a change: merge it into the base, train a fresh adapter (A random, B = 0).
  kWarm,      // The result is the adapter: go on training it, cut to one's own rank.
  kResidual,  // The first `trainable_rank` units are the adapter to go on with; the others are merged into the base.
};

// Beyond 2^53 a float64 no longer counts one by one; the bound also keeps the sum over a round finite.
inline constexpr double kExamplesMax = 9'007'199'254'740'992.0;

// One client's contribution. The adapter's views must live until Report returns.
struct ClientUpdate {
  std::string client;
  double examples = 0;  // n_i: > 0, at most kExamplesMax.
  const Adapter* adapter = nullptr;
  std::string frozen;  // FrozenParts of the adapter; needed only where its bytes are not there. Not kept.
};

// One client's share of a module.
struct WeightedModule {
  double weight = 0;                   // w_i
  const LoraModule* module = nullptr;  // A_i, B_i and s_i.
};

class Aggregator {
 public:
  virtual ~Aggregator() = default;

  virtual absl::string_view name() const = 0;
  virtual Locality locality() const = 0;
  virtual RoundStart round_start() const = 0;
  // Whether the result is dW* itself, up to the rounding of what is written. Elsewhere the distance can be measured.
  virtual bool exact() const { return false; }
  // Of rules that are quotients of sums over the clients (PartialSum in partial_sum.h can do them): which matrices of a
  // module are summed. The others are the same in all clients (FrozenParts).
  struct Summed {
    bool a = false, b = false, core = false;
  };
  virtual std::optional<Summed> summed() const { return std::nullopt; }
  // The factors A [rank, d_in] and B [d_out, rank] of one module, or of one group of a module as a module of its own.
  struct Factors {
    FactorPtr a, b;
  };
  // What such a rule makes of its sums: A = (sum of n_i A_i) / N over those who have the module, B = (sum of n_i s_i
  // B_i) / N over all; with a core, C = (sum of n_i s_i C_i) / N over all. A matrix that is not summed is what all
  // have.
  virtual absl::StatusOr<Factors> Finish(Factors factors, FactorPtr core) const;
  // Whether the result is the sum of w_i x_i of the products x_i themselves, whatever the weights: also below 0, and of
  // adapters that no client sent (AddBeside). Rules that weigh so, or look at products coordinate by coordinate, need
  // it.
  virtual bool linear() const { return false; }
  // What is published unless asked otherwise.
  virtual PublishForm default_publish() const { return PublishForm{}; }

  // Adds one client. Validates on behalf of every rule, so that none can forget; on error the state is unchanged:
  //   INVALID_ARGUMENT    client id, shape, non-finite value, weight not in (0, kExamplesMax], a module or tensor of
  //                       other dimensions than that of a client already there, a tensor of another type where one of
  //                       the two is no float, or of other values where none is (frozen.h), another base model, a kind
  //                       of adapter that this rule would get wrong, a combined rank beyond limits::kRankMax, or what
  //                       the rule itself demands (equal ranks, say)
  //   ALREADY_EXISTS      client seen before
  //   RESOURCE_EXHAUSTED  beyond limits::kCohortClientsMax
  // A client may lack modules: it contributes zero there, and the others' weights stay as they are.
  absl::Status Accumulate(const ClientUpdate& update);

  // The same without looking at values, which need not be there (DescribeAdapter gives such adapters): to refuse an
  // update that could not be combined with those before it while it can still be refused. Report may follow if the
  // bytes are there; values that are not finite then end it, after earlier modules went to the sink.
  absl::Status AccumulateShape(const ClientUpdate& update);

  // What all clients must have in common: digests of the factors that the rule wants frozen (ffa, core_mean) and of
  // tensors that are no floats. The bytes of `adapter` are there.
  std::string FrozenParts(const Adapter& adapter) const { return FrozenDigests(adapter, DoFrozen()); }
  // Whether that is more than nothing. Looks at shapes only.
  bool HasFrozenParts(const Adapter& shape) const { return cairn::HasFrozenParts(shape, DoFrozen()); }

  // What of a client's modules is in the result as it is, when it is published as combined: the next round's clients
  // have it too.
  struct Kept {
    bool rank = false;
    bool a = false;
  };
  virtual Kept kept() const { return {}; }
  // Before the first client: refuses clients that do not go on from `published`, whose bytes are there, in what is
  // kept. `holder` names it in errors.
  void GoOnFrom(absl::string_view holder, const Adapter& published);

  // After the clients: another adapter that may have a weight, such as what an earlier round published.
  // INVALID_ARGUMENT: other dimensions than the clients', a combined rank beyond limits::kRankMax. REQUIRES: linear().
  absl::Status AddBeside(absl::string_view name, const Adapter& adapter);

  // Tensors are summed in float64 in order of the clients, which is less work than in integers: for weights that nobody
  // knows before all updates are there, so that no partial sums are merged.
  void UseOrderedSums() { ordered_sums_ = true; }

  // Report and CheckBytes are about the shard's own modules and tensors alone. Null: about all. spec() and ranks() stay
  // those of all.
  void Share(std::shared_ptr<const Shard> shard) { shard_ = std::move(shard); }

  // By client id: the canonical order, in which everything is combined.
  const std::map<std::string, ClientUpdate>& updates() const { return updates_; }
  std::size_t clients() const { return updates_.size(); }

  // Every module and tensor that some client has.
  const AdapterSpec& spec() const { return spec_; }
  // Of the result, by module of spec(): upper bounds.
  const std::vector<std::int64_t>& ranks() const { return ranks_; }

  // Those with a weight that have the module, in order of updates(), then of AddBeside. `weights` as for Report.
  std::vector<WeightedModule> InputsOf(absl::string_view module, absl::Span<const double> weights) const;

  // INVALID_ARGUMENT, with the client: an update whose bytes are not there. AccumulateShape takes such.
  absl::Status CheckBytes() const;

  // Combines with weights[i] / total, one per client in order of updates(), then one per adapter beside them: finite,
  // and >= 0 unless linear(). Where they are example counts and their sum, sums are made of the counts themselves and
  // divided once (summed(), tensors). The same updates give the same bytes, whatever the order of arrival.
  // FAILED_PRECONDITION without any client; INVALID_ARGUMENT when all weights are 0, or values are not finite (named by
  // client and tensor); OUT_OF_RANGE, with the module's name, when the sink says so of combined values (ForEachBlock
  // does); the sink's first error ends the report and is returned.
  absl::Status Report(absl::Span<const double> weights, const ResultSink& sink, double total = 1) &&;

 protected:
  // Whether modules have a core between their factors.
  virtual bool TakesCores() const { return false; }
  // Whether the rule knows what to do with adapters of this kind. By default only with LoRA.
  virtual absl::Status DoCheckKind(const PeftConfig& config) const;
  // The factors that all clients must have the same.
  virtual FrozenFactors DoFrozen() const { return {}; }
  // What the rule demands beyond the shared checks, of `update` next to those already there.
  virtual absl::Status DoCheck(const ClientUpdate&) const { return absl::OkStatus(); }
  // Upper bound on the rank of a combined module when a client of rank `added` joins those that combine to `so_far`, 0
  // for none. The order of the clients must not matter.
  virtual std::int64_t DoRank(std::int64_t so_far, std::int64_t added) const = 0;
  // For rules that weigh clients by what they send: what each of `inputs` counts in this module, which may have groups.
  // The same modules in the same order. By default as they came.
  virtual absl::StatusOr<std::vector<WeightedModule>> DoWeigh(absl::Span<const WeightedModule> inputs) const;
  // The factors of one module or group; `inputs` in client order, with the weights of DoWeigh: only clients whose own
  // weight is above 0 and that have the module, at least one. The views outlive the result. Of rules with summed()
  // nobody asks this, nor DoWeigh.
  virtual absl::StatusOr<Factors> DoCombine(absl::Span<const WeightedModule> inputs) const;

  // The first client that came with a module of this name, and that module; null when there is none.
  const std::pair<std::string, const LoraModule*>* FirstWith(absl::string_view module) const;

 private:
  struct ReportWeights {
    absl::Span<const double> counts;  // As Report got them.
    double total = 1;
  };
  absl::Status Add(ClientUpdate update, absl::FunctionRef<absl::Status(const Adapter&)> check_values);
  absl::Status CheckAlone(const ClientUpdate& update) const;
  absl::Status CheckKeptRanks(const Adapter& adapter) const;
  absl::Status CheckTypes(const ClientUpdate& update) const;
  void Remember(ClientUpdate update);
  absl::StatusOr<std::vector<std::int64_t>> RanksWith(const AdapterSpec& spec, const Adapter& adapter) const;
  absl::Status ReportModule(const ModuleSpec& spec, const ReportWeights& weights, const ResultSink& sink) const;
  absl::Status CheckWeights(absl::Span<const double> weights, double total) const;
  absl::StatusOr<double> ShareOf(absl::string_view tensor, double holders, const ReportWeights& weights) const;
  std::vector<std::pair<std::string, const Adapter*>> Contributors() const;  // Clients, then those beside them.
  absl::Status ReportTensor(const TensorSpec& spec, const ReportWeights& weights, const ResultSink& sink) const;
  FactorPtr SumOfTensor(std::vector<ScaledView> views, double divisor) const;
  absl::StatusOr<Factors> CombineGroups(const std::vector<WeightedModule>& inputs, std::int64_t groups,
                                        const ReportWeights& weights) const;
  absl::StatusOr<Factors> CombineOne(absl::Span<const WeightedModule> inputs, const ReportWeights& weights) const;

  std::map<std::string, ClientUpdate> updates_;
  std::vector<std::pair<std::string, const Adapter*>> beside_;
  std::map<std::string, std::pair<std::string, const LoraModule*>, std::less<>> first_;  // By module.
  std::map<std::string, std::pair<std::string, DType>, std::less<>> types_;              // By tensor, of the first.
  CommonParts common_;
  bool ordered_sums_ = false;
  std::shared_ptr<const Shard> shard_;
  std::string published_;                                        // Holder of kept_ranks_.
  std::map<std::string, std::int64_t, std::less<>> kept_ranks_;  // By module.
  AdapterSpec spec_;
  std::vector<std::int64_t> ranks_;
};

}  // namespace cairn
