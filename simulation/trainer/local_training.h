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
};

// The model that a published adapter stands for: a copy of `base` with it merged. `published` may be null: version 0.
absl::StatusOr<Weights> Published(const Weights& base, const Lora* published);

// Trains round `round` (from 1) and returns the factors to upload. The result depends on the arguments only, never on
// earlier calls, so that a client that was killed and started again uploads the same bytes. Merging: a fresh adapter,
// its own for each client and round, on top of `start` = Published(base, version).
absl::StatusOr<Lora> TrainFresh(const LocalClient& client, const Weights& start, std::uint64_t round,
                                const StepCallback& on_step);
// Warm: goes on from `published`, cut to the client's rank, on top of the base. Null: all clients begin with one A.
absl::StatusOr<Lora> TrainWarm(const LocalClient& client, const Weights& base, const Lora* published,
                               std::uint64_t round, const StepCallback& on_step);

}  // namespace cairn
