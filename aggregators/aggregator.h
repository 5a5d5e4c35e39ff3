// An aggregation rule: takes the updates of one round, gives one adapter.
//
// Notation, per module: update i is dW_i = s_i B_i A_i, A_i [r_i, d_in], B_i [d_out, r_i]; p_i = n_i / sum(n) is its
// weight by example counts n_i. Rules differ in how they merge factors (docs/rules.md).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "adapter/lora.h"

namespace cairn {

// What a worker may own. The planner reads this; a rule never knows where it runs.
enum class Locality {
  kMergeable,  // A leaf owns clients; partial states add. FedAvg, stacking.
};

// How clients start the next round from the result.
enum class RoundStart {
  kMerge,  // The result is a change: merge it into the base, train a fresh adapter (A random, B = 0).
  kWarm,   // The result is the adapter: go on training it, cut to one's own rank.
};

// Beyond 2^53 a float64 no longer counts one by one; the bound also keeps the sum over a round finite.
inline constexpr double kExamplesMax = 9'007'199'254'740'992.0;

// One client's contribution. The adapter's views must live until Report returns.
struct ClientUpdate {
  std::string client;
  double examples = 0;  // n_i: > 0, at most kExamplesMax.
  const LoraAdapter* adapter = nullptr;
};

// One module of the result: dW = B A, scale 1 folded in. float32, row-major.
struct CombinedModule {
  std::string name;
  std::int64_t d_in = 0, d_out = 0, rank = 0;
  std::vector<float> a;  // [rank, d_in]
  std::vector<float> b;  // [d_out, rank]
};

struct CombinedShape {
  std::string name;
  std::int64_t d_in = 0, d_out = 0, rank = 0;
};

// One client's share of a module, as a rule sees it.
struct WeightedModule {
  double weight = 0;                   // p_i
  const LoraModule* module = nullptr;  // A_i, B_i and s_i.
};

// Receives the result's modules one at a time, ascending by name, so that it never stands in memory whole.
using ModuleSink = std::function<absl::Status(const CombinedModule&)>;

class Aggregator {
 public:
  virtual ~Aggregator() = default;

  virtual absl::string_view name() const = 0;
  virtual Locality locality() const = 0;
  virtual RoundStart round_start() const = 0;

  // Adds one client. Validates on behalf of every rule, so that none can forget; on error the state is unchanged:
  //   INVALID_ARGUMENT    client id, shape, non-finite value, weight not in (0, kExamplesMax], modules unlike those of
  //                       the clients already there, a combined rank beyond limits::kRankMax, or what the rule itself
  //                       demands (equal ranks, say)
  //   ALREADY_EXISTS      client seen before
  //   RESOURCE_EXHAUSTED  beyond limits::kCohortClientsMax
  absl::Status Accumulate(const ClientUpdate& update);

  // The same without looking at values, which need not be there (DescribeLora gives such adapters): to refuse an update
  // that could not be combined with those before it while it can still be refused. Report must not follow.
  absl::Status AccumulateShape(const ClientUpdate& update);

  std::size_t clients() const { return updates_.size(); }

  // Ranks of the result, ascending by module name. FAILED_PRECONDITION without any client.
  absl::StatusOr<std::vector<CombinedShape>> Shapes() const;

  // Combines in ascending order of client id, whatever the order of arrival: the same updates give the same bytes.
  // Reads every input module once and holds one combined module at a time. FAILED_PRECONDITION without any client;
  // OUT_OF_RANGE, with the module's name, when a combined factor overflows float32; the sink's first error ends the
  // report and is returned.
  absl::Status Report(const ModuleSink& sink) &&;

 protected:
  // What the rule demands beyond the shared checks, of `update` next to those already there. Their modules are the
  // same.
  virtual absl::Status DoCheck(const ClientUpdate& update) const = 0;
  // Rank of a combined module when a client of rank `added` joins those that combine to `so_far`, 0 for none. The order
  // of the clients must not matter.
  virtual std::int64_t DoRank(std::int64_t so_far, std::int64_t added) const = 0;
  // Fills a and b, which are sized and hold arbitrary values; `inputs` in client order.
  virtual void DoCombine(absl::Span<const WeightedModule> inputs, CombinedModule& out) const = 0;

  const std::map<std::string, ClientUpdate>& updates() const { return updates_; }

 private:
  absl::Status Add(const ClientUpdate& update, absl::FunctionRef<absl::Status(const LoraAdapter&)> check_values);
  absl::Status CheckUpdate(const ClientUpdate& update) const;
  absl::StatusOr<std::vector<std::int64_t>> RanksWith(const LoraAdapter& adapter) const;
  std::vector<double> Weights() const;  // p_i in client order.

  std::map<std::string, ClientUpdate> updates_;  // By client id: the canonical order.
  std::vector<std::int64_t> ranks_;              // Of the result, by module; empty without any client.
};

}  // namespace cairn
