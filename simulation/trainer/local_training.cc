#include "simulation/trainer/local_training.h"

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

absl::StatusOr<Lora> TrainWarm(const LocalClient& client, const Weights& base, const Lora* published,
                               std::uint64_t round, const StepCallback& on_step) {
  Lora lora = FreshLora(base.config, client.rank, client.alpha, SeedOf(client.seed, {"warm"}));
  if (published != nullptr) lora = CutToRank(*published, lora);
  return Train(client, base, std::move(lora), round, on_step);
}

}  // namespace cairn
