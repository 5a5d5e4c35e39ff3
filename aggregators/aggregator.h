// An aggregation rule: takes the updates of one round, gives one adapter.
//
// Notation, per module: update i is dW_i = s_i B_i A_i, A_i [r_i, d_in], B_i [d_out, r_i]; p_i = n_i / sum(n) is its weight by
// example counts n_i. Rules differ in how they merge factors (docs/rules.md).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

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

// One client's contribution. The adapter's views must live until Report returns.
struct ClientUpdate {
  std::string client;
  double examples = 0;  // n_i: finite, > 0.
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

// Receives the result's modules one at a time, ascending by name, so that it never stands in memory whole.
using ModuleSink = std::function<absl::Status(const CombinedModule&)>;

class Aggregator {
 public:
  virtual ~Aggregator() = default;

  virtual absl::string_view name() const = 0;
  virtual Locality locality() const = 0;
  virtual RoundStart round_start() const = 0;

  // Adds one client. Validates on behalf of every rule, so that none can forget; on error the state is unchanged:
  //   INVALID_ARGUMENT    shape, dtype, non-finite value, weight not > 0, modules unlike those of the first client, or
  //                       what the rule itself demands (equal ranks, say)
  //   ALREADY_EXISTS      client seen before
  //   RESOURCE_EXHAUSTED  beyond limits::kCohortClientsMax
  absl::Status Accumulate(const ClientUpdate& update);

  std::size_t clients() const { return updates_.size(); }

  // Ranks of the result, ascending by module name. FAILED_PRECONDITION without any client.
  absl::StatusOr<std::vector<CombinedShape>> Shapes() const;

  // Combines in ascending order of client id, whatever the order of arrival: the same updates give the same bytes.
  // FAILED_PRECONDITION without any client; the sink's first error ends the report and is returned.
  absl::Status Report(const ModuleSink& sink) &&;

 protected:
  struct WeightedModule {
    double weight;             // p_i
    const LoraModule* module;  // s_i inside
  };

  // What the rule demands beyond the shared checks, of `update` next to those already there.
  virtual absl::Status DoCheck(const ClientUpdate& update) const = 0;
  // Rank of the combined module, from the inputs' ranks in client order.
  virtual std::int64_t DoRank(absl::Span<const std::int64_t> ranks) const = 0;
  // Fills a and b, which are zeroed and sized; `inputs` in client order.
  virtual void DoCombine(absl::Span<const WeightedModule> inputs, CombinedModule& out) const = 0;

  const std::map<std::string, ClientUpdate>& updates() const { return updates_; }

 private:
  std::map<std::string, ClientUpdate> updates_;  // By client id: the canonical order.
};

}  // namespace cairn
