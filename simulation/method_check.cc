#include "simulation/method_check.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "adapter/lora.h"
#include "adapter/safetensors.h"
#include "aggregators/registry.h"
#include "aggregators/weighing.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "simulation/attacks/attack_spec.h"

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

  absl::Status Add(const std::string& client, const Sent& sent) {
    CAIRN_ASSIGN_OR_RETURN(Adapter made, AdapterWith(sent.rank, sent.alpha, combine_.name() != kDenseMean));
    const Adapter& adapter = adapters_.emplace_back(std::move(made));
    // Where A is frozen all begin with one A, of which a client of lower rank has the first rows.
    const absl::string_view what = sent.another_a ? "another" : "of-rank-";
    const std::string frozen =
        combine_.HasFrozenParts(adapter) ? absl::StrCat(LoraAName(kModule), " ", what, sent.rank, "\n") : "";
    return combine_.AccumulateShape({client, 1, &adapter, frozen});
  }

 private:
  Aggregator& combine_;
  std::deque<Adapter> adapters_;  // The rule keeps pointers.
};

// A refusal of what a client sends, which is nothing that it trained where it attacks.
absl::Status Explained(const absl::Status& refusal, const ExperimentClient& client) {
  if (refusal.ok() || client.attack.empty()) return refusal;
  const absl::StatusOr<AttackSpec> spec = ParseAttack(client.attack);
  const bool any = spec.ok() && spec->forges_values && spec->rank == 0;
  return absl::Status(refusal.code(),
                      absl::StrCat(refusal.message(), " (", client.name, " sends what attack ", client.attack, " makes",
                                   any ? ", of any rank unless rank=N is given)" : ")"));
}

// What a client sends that trains with this rank, at the scale that it begins with. None: nothing that a server takes.
absl::StatusOr<std::optional<Sent>> SentBy(const ExperimentClient& client, std::int64_t rank) {
  const double alpha = client.alpha * static_cast<double>(rank) / client.rank;
  if (client.attack.empty()) return Sent{rank, alpha};
  CAIRN_ASSIGN_OR_RETURN(const AttackSpec spec, ParseAttack(client.attack));
  if (IsRefused(spec)) return std::nullopt;
  return SentWith(spec, rank, alpha);
}

// The bounds of server/gateway/upload_check.cc. Every weight that is adapted has the model's width as its full rank.
absl::Status CheckUpload(const Sent& sent, const Experiment& experiment) {
  const std::int64_t most = std::max<std::int64_t>(experiment.width, limits::kUsualRankMax);
  if (sent.rank > most) {
    return absl::InvalidArgumentError(
        absl::StrCat("rank ", sent.rank, ", expected at most ", most, " for weights of rank ", experiment.width));
  }
  const double scale = sent.alpha / static_cast<double>(sent.rank);
  if (scale <= limits::kScaleMax) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("scale (alpha / rank) ", scale, ", expected at most ", limits::kScaleMax));
}

}  // namespace

absl::Status CheckUploads(const Experiment& experiment) {
  for (const ExperimentClient& client : experiment.clients) {
    CAIRN_ASSIGN_OR_RETURN(const std::optional<Sent> sent, SentBy(client, client.rank));
    if (!sent) continue;
    const absl::Status status = Explained(CheckUpload(*sent, experiment), client);
    if (!status.ok()) return absl::Status(status.code(), absl::StrCat("client ", client.name, ": ", status.message()));
  }
  return absl::OkStatus();
}

absl::Status CheckTakesClients(const std::string& method, const Experiment& experiment) {
  CAIRN_ASSIGN_OR_RETURN(const auto combine, MakeAggregator(method));
  Rehearsal rehearsal(*combine);
  const double prune = experiment.training.prune;
  for (const ExperimentClient& client : experiment.clients) {
    CAIRN_ASSIGN_OR_RETURN(const std::optional<Sent> sent, SentBy(client, client.rank));
    if (sent) CAIRN_RETURN_IF_ERROR(Explained(rehearsal.Add(client.name, *sent), client));
    if (prune == 0) continue;
    const double pruned = std::max(1.0, std::floor(prune * client.rank));
    CAIRN_ASSIGN_OR_RETURN(const std::optional<Sent> less, SentBy(client, static_cast<std::int64_t>(pruned)));
    if (less) CAIRN_RETURN_IF_ERROR(Explained(rehearsal.Add(absl::StrCat(client.name, "-pruned"), *less), client));
  }
  return absl::OkStatus();
}

absl::Status CheckWeighing(const std::string& method, const Experiment& experiment) {
  CAIRN_ASSIGN_OR_RETURN(const auto combine, MakeAggregator(method));
  CAIRN_ASSIGN_OR_RETURN(const Weighing weighing, Weighing::Create(experiment.rule, experiment.guards));
  CAIRN_RETURN_IF_ERROR(weighing.CheckClients(ContributorsOf(experiment)));
  CAIRN_RETURN_IF_ERROR(weighing.CheckCombine(*combine, experiment.relative_to_published));
  const std::string trusted = weighing.rule().needs().client;
  const auto is_trusted = [&](const ExperimentClient& client) { return client.name == trusted; };
  if (trusted.empty() || std::any_of(experiment.clients.begin(), experiment.clients.end(), is_trusted)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("rule ", weighing.rule().name(), " trusts client ", trusted, ", which is none of the clients"));
}

}  // namespace cairn
