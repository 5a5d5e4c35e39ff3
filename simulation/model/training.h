// Training on random windows of a text, and the loss on a text that was held out. Text is bytes.
// Everything depends on the arguments only: the same seeds give the same bytes on the same machine and thread count.
#pragma once

#include <cstdint>
#include <functional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "simulation/model/lora.h"
#include "simulation/model/weights.h"

namespace cairn {

struct TrainOptions {
  int steps = 100;
  int batch = 8;                // Windows of config.context bytes per step.
  double learning_rate = 2e-3;  // Peak: linear rise over the first tenth of the steps, then a cosine down to a tenth.
  std::uint64_t seed = 0;
  bool freeze_a = false;  // TrainLora changes B only (FFA-LoRA).
  // Learns to say 255 - b where the text says b: label flipping, the last label for the first and so on.
  bool flip_labels = false;
};

// Called after each step, from 1. The loss is that step's, in nats per byte. A status that is not OK ends the training.
using StepCallback = std::function<absl::Status(int step, double loss)>;

// Trains the factors of `lora`; `base` stays as it is. INVALID_ARGUMENT when `text` is shorter than one window.
absl::Status TrainLora(const Weights& base, Lora& lora, absl::string_view text, const TrainOptions& options,
                       const StepCallback& on_step = nullptr);

// Trains every weight.
absl::Status TrainWeights(Weights& weights, absl::string_view text, const TrainOptions& options,
                          const StepCallback& on_step = nullptr);

// Nats per byte over `text` in consecutive windows; each window's first byte is context only. `lora` may be null.
absl::StatusOr<double> HeldOutLoss(const Weights& weights, const Lora* lora, absl::string_view text);

// Threads of libtorch's operators in this process; its BLAS reads OPENBLAS_NUM_THREADS. Sums depend on both.
void UseThreads(int threads);

}  // namespace cairn
