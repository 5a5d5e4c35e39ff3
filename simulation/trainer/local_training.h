// One client's part of a round, without a network: from what is published to what it uploads.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "simulation/model/lora.h"
#include "simulation/model/training.h"
#include "simulation/model/weights.h"

namespace cairn {

struct LocalClient {
  std::string name;
  std::int64_t rank = 8;
  double alpha = 16;
  std::uint64_t seed = 0;  // Of the experiment: the same for all clients.
  std::string train_text, held_out_text;
  TrainOptions options;  // `seed` is set per round.
  double prune = 0;      // 0: never; see PrunedRank.
};

// The rank to go on with after a round (HetLoRA, arXiv 2401.06432): floor(gamma * rank), at least 1, when the units
// that would go do less after the round (`after`, TailNorm) than at its start (`before`); else `rank`. 0 < gamma < 1.
std::int64_t PrunedRank(std::int64_t rank, double gamma, double before, double after);
// Where PrunedRank cuts.
std::int64_t KeptRank(std::int64_t rank, double gamma);

// The model that a published adapter stands for: a copy of `base` with it merged. `published` may be null: version 0.
absl::StatusOr<Weights> Published(const Weights& base, const Lora* published);

// Trains round `round` (from 1) and returns the factors to upload. The result depends on the arguments only, never on
// earlier calls, so that a client that was killed and started again uploads the same bytes. Merging: a fresh adapter,
// its own for each client and round, on top of `start` = Published(base, version).
absl::StatusOr<Lora> TrainFresh(const LocalClient& client, const Weights& start, std::uint64_t round,
                                const StepCallback& on_step);
// Warm: goes on from `published`, cut to the client's rank, on top of `start`, which is the base or, when rounds merge
// residuals, what they made of it. Null: all clients begin with one A.
absl::StatusOr<Lora> TrainWarm(const LocalClient& client, const Weights& start, const Lora* published,
                               std::uint64_t round, const StepCallback& on_step);
// What TrainWarm begins with.
Lora WarmStart(const LocalClient& client, const ModelConfig& config, const Lora* published);

// After a warm round from `published` to `update`: lowers the client's rank if it is to be pruned, at the same scale.
void Prune(LocalClient& client, const ModelConfig& config, const Lora* published, const Lora& update);

}  // namespace cairn
