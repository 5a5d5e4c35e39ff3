#include "simulation/method_check.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "adapter/lora.h"
#include "adapter/safetensors.h"
#include "aggregators/registry.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

// Any module will do: a client has one rank and one alpha for all of them.
constexpr std::int64_t kSide = 8;
constexpr char kModule[] = "layer";
constexpr absl::string_view kDenseMean = "dense_mean";

absl::StatusOr<Adapter> AdapterWith(std::int64_t rank, double alpha, bool factors) {
  PeftConfig config;
  config.rank = rank;
  config.alpha = alpha;
  config.target_modules = {kModule};
  CAIRN_ASSIGN_OR_RETURN(config, ParsePeftConfig(SerializePeftConfig(config)));
  if (!factors) config.kind = AdapterKind::kAveraged;
  SafetensorsHeader header;
  header.tensors = {{LoraAName(kModule), DType::kF32, {rank, kSide}}, {LoraBName(kModule), DType::kF32, {kSide, rank}}};
  return DescribeAdapter(header, config);
}

class Rehearsal {
 public:
  explicit Rehearsal(Aggregator& combine) : combine_(combine) {}

  absl::Status Add(const std::string& client, std::int64_t rank, double alpha) {
    CAIRN_ASSIGN_OR_RETURN(Adapter made, AdapterWith(rank, alpha, combine_.name() != kDenseMean));
    const Adapter& adapter = adapters_.emplace_back(std::move(made));
    // Where A is frozen all begin with one A, of which a client of lower rank has the first rows.
    const std::string frozen =
        combine_.HasFrozenParts(adapter) ? absl::StrCat(LoraAName(kModule), " of-rank-", rank, "\n") : "";
    return combine_.AccumulateShape({client, 1, &adapter, frozen});
  }

 private:
  Aggregator& combine_;
  std::deque<Adapter> adapters_;  // The rule keeps pointers.
};

}  // namespace

absl::Status CheckTakesClients(const std::string& method, const Experiment& experiment) {
  CAIRN_ASSIGN_OR_RETURN(const auto combine, MakeAggregator(method));
  Rehearsal rehearsal(*combine);
  const double prune = experiment.training.prune;
  for (const ExperimentClient& client : experiment.clients) {
    CAIRN_RETURN_IF_ERROR(rehearsal.Add(client.name, client.rank, client.alpha));
    if (prune == 0) continue;
    const double pruned = std::max(1.0, std::floor(prune * client.rank));
    CAIRN_RETURN_IF_ERROR(rehearsal.Add(absl::StrCat(client.name, "-pruned"), static_cast<std::int64_t>(pruned),
                                        client.alpha * pruned / client.rank));
  }
  return absl::OkStatus();
}

}  // namespace cairn
