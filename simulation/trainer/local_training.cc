#include "simulation/trainer/local_training.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "simulation/model/random.h"

namespace cairn {
namespace {

absl::StatusOr<Lora> Train(const LocalClient& client, const Weights& start, Lora lora, std::uint64_t round,
                           const StepCallback& on_step) {
  TrainOptions options = client.options;
  options.seed = SeedOf(client.seed, {"batches", client.name, absl::StrCat(round)});
  CAIRN_RETURN_IF_ERROR(TrainLora(start, lora, client.train_text, options, on_step));
  return lora;
}

}  // namespace

absl::StatusOr<Weights> Published(const Weights& base, const Lora* published) {
  Weights weights = base.Clone();
  if (published != nullptr) CAIRN_RETURN_IF_ERROR(MergeInto(*published, weights));
  return weights;
}

absl::StatusOr<Lora> TrainFresh(const LocalClient& client, const Weights& start, std::uint64_t round,
                                const StepCallback& on_step) {
  const std::uint64_t seed = SeedOf(client.seed, {"fresh", client.name, absl::StrCat(round)});
  return Train(client, start, FreshLora(start.config, client.rank, client.alpha, seed), round, on_step);
}

Lora WarmStart(const LocalClient& client, const ModelConfig& config, const Lora* published) {
  Lora fresh = FreshLora(config, client.rank, client.alpha, SeedOf(client.seed, {"warm"}));
  return published == nullptr ? fresh : CutToRank(*published, fresh);
}

absl::StatusOr<Lora> TrainWarm(const LocalClient& client, const Weights& start, const Lora* published,
                               std::uint64_t round, const StepCallback& on_step) {
  return Train(client, start, WarmStart(client, start.config, published), round, on_step);
}

std::int64_t KeptRank(std::int64_t rank, double gamma) {
  return std::max<std::int64_t>(1, static_cast<std::int64_t>(std::floor(gamma * static_cast<double>(rank))));
}

std::int64_t PrunedRank(std::int64_t rank, double gamma, double before, double after) {
  return after < before ? KeptRank(rank, gamma) : rank;
}

void Prune(LocalClient& client, const ModelConfig& config, const Lora* published, const Lora& update) {
  if (client.prune == 0) return;
  const std::int64_t kept = KeptRank(client.rank, client.prune);
  const double before = TailNorm(WarmStart(client, config, published), kept), after = TailNorm(update, kept);
  const double scale = client.alpha / static_cast<double>(client.rank);
  client.rank = PrunedRank(client.rank, client.prune, before, after);
  client.alpha = scale * static_cast<double>(client.rank);
}

}  // namespace cairn
