#include "simulation/model/training.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "simulation/model/adam.h"
#include "simulation/model/random.h"
#include "simulation/model/torch_guard.h"
#include "simulation/model/transformer.h"

namespace cairn {
namespace {

constexpr int kEvaluationBatch = 16;

void CopyWindow(absl::string_view window, std::int64_t* out) {
  std::transform(window.begin(), window.end(), out, [](char c) { return static_cast<unsigned char>(c); });
}

// [batch, context + 1] from random places.
at::Tensor RandomBatch(absl::string_view text, std::int64_t window, int batch, Random& random) {
  at::Tensor tokens = at::empty({batch, window}, at::kLong);
  for (int row = 0; row < batch; ++row) {
    const std::uint64_t start = random.Below(text.size() - window + 1);
    CopyWindow(text.substr(start, window), tokens.data_ptr<std::int64_t>() + row * window);
  }
  return tokens;
}

double RateAt(const TrainOptions& options, int step) {
  const double warm = std::max(1.0, options.steps / 10.0);
  if (step < warm) return options.learning_rate * (step + 1) / (warm + 1);
  const double progress = (step - warm) / std::max(1.0, options.steps - warm);
  return options.learning_rate * (0.1 + 0.45 * (1 + std::cos(std::numbers::pi * progress)));
}

absl::Status CheckText(absl::string_view text, std::int64_t window) {
  if (static_cast<std::int64_t>(text.size()) >= window) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("too little text: expected at least ", window, " bytes (context + 1), got ", text.size()));
}

struct Job {
  const Weights& weights;
  const Lora* lora;
  std::vector<at::Tensor> parameters;
};

absl::Status Run(Job job, absl::string_view text, const TrainOptions& options, const StepCallback& on_step) {
  const std::int64_t window = job.weights.config.context + 1;
  CAIRN_RETURN_IF_ERROR(CheckText(text, window));
  for (at::Tensor& parameter : job.parameters) parameter.set_requires_grad(true);
  Adam adam(job.parameters);
  Random random(options.seed);
  for (int step = 0; step < options.steps; ++step) {
    const at::Tensor tokens = RandomBatch(text, window, options.batch, random);
    const at::Tensor loss = Loss(job.weights, job.lora, tokens, options.flip_labels);
    loss.backward();
    adam.Step(RateAt(options, step));
    if (on_step) CAIRN_RETURN_IF_ERROR(on_step(step + 1, loss.item<double>()));
  }
  for (at::Tensor& parameter : job.parameters) parameter.set_requires_grad(false);
  return absl::OkStatus();
}

// Sum of the loss over the windows [first, first + count) of `size` + 1 bytes that start every `size` bytes.
double SumOverWindows(const Weights& weights, const Lora* lora, absl::string_view text, std::size_t first,
                      std::size_t count, std::size_t size) {
  at::Tensor tokens = at::empty({static_cast<std::int64_t>(count), static_cast<std::int64_t>(size + 1)}, at::kLong);
  for (std::size_t i = 0; i < count; ++i) {
    CopyWindow(text.substr((first + i) * size, size + 1), tokens.data_ptr<std::int64_t>() + i * (size + 1));
  }
  return Loss(weights, lora, tokens).item<double>() * static_cast<double>(count * size);
}

double SumOfLosses(const Weights& weights, const Lora* lora, absl::string_view text) {
  const at::NoGradGuard no_grad;
  const std::size_t size = weights.config.context;
  const std::size_t windows = (text.size() - 1) / size;
  double sum = 0;
  for (std::size_t first = 0; first < windows; first += kEvaluationBatch) {
    sum += SumOverWindows(weights, lora, text, first, std::min<std::size_t>(kEvaluationBatch, windows - first), size);
  }
  const absl::string_view rest = text.substr(windows * size);
  if (rest.size() > 1) sum += SumOverWindows(weights, lora, rest, 0, 1, rest.size() - 1);
  return sum;
}

}  // namespace

absl::Status TrainLora(const Weights& base, Lora& lora, absl::string_view text, const TrainOptions& options,
                       const StepCallback& on_step) {
  return CatchTorch("LoRA training", [&] {
    Job job{base, &lora, {}};
    for (auto& [module, factors] : lora.modules) {
      if (!options.freeze_a) job.parameters.push_back(factors.a);
      job.parameters.push_back(factors.b);
    }
    return Run(std::move(job), text, options, on_step);
  });
}

absl::Status TrainWeights(Weights& weights, absl::string_view text, const TrainOptions& options,
                          const StepCallback& on_step) {
  return CatchTorch("pre-training", [&] {
    Job job{weights, nullptr, {}};
    for (auto& [name, tensor] : weights.tensors) job.parameters.push_back(tensor);
    return Run(std::move(job), text, options, on_step);
  });
}

absl::StatusOr<double> HeldOutLoss(const Weights& weights, const Lora* lora, absl::string_view text) {
  CAIRN_RETURN_IF_ERROR(CheckText(text, 2));
  double sum = 0;
  CAIRN_RETURN_IF_ERROR(CatchTorch("evaluation", [&] {
    sum = SumOfLosses(weights, lora, text);
    return absl::OkStatus();
  }));
  return sum / static_cast<double>(text.size() - 1);
}

void UseThreads(int threads) { at::set_num_threads(threads); }

}  // namespace cairn
