// LoRA factors that can be trained, and their way to and from PEFT adapters.
// Per module: delta = scale * B * A, A [rank, d_in], B [d_out, rank], float32.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "adapter/lora.h"
#include "simulation/model/weights.h"

namespace cairn {

struct Factors {
  at::Tensor a, b;
  double scale = 1;
};

struct Lora {
  std::int64_t rank = 0;  // Of modules that FreshLora or CutToRank made; published adapters may have other ranks.
  double alpha = 0;
  std::map<std::string, Factors> modules;  // By module name: "layers.0.attn.q_proj".
};

// A uniform in +-1/sqrt(d_in) as in PEFT, B = 0, scale = alpha / rank. The rows of A are drawn one after the other, so
// that with one seed a smaller rank is the beginning of a larger one.
Lora FreshLora(const ModelConfig& config, std::int64_t rank, double alpha, std::uint64_t seed);

// The first `rank` units of `published`, with the scale alpha / rank: A[:rank] and B[:, :rank] * published scale /
// scale. Where the published rank is smaller, units of `fresh` (A random, B = 0, so that they add nothing yet) fill up.
Lora CutToRank(const Lora& published, const Lora& fresh);

// `published`, with the modules that only `before` has taken from there.
Lora Completed(Lora published, const Lora& before);

// What lies behind the first `rank` units of `published`, with its scale. Modules that have no more are not in it.
Lora BehindRank(const Lora& published, std::int64_t rank);

// Sum over the modules of ||B[:, first:]|| * ||A[first:]|| * scale: how much the last units of an adapter do, at most.
double TailNorm(const Lora& lora, std::int64_t first);

// weights += scale * B * A, module by module. INVALID_ARGUMENT when modules or shapes are not the model's.
absl::Status MergeInto(const Lora& lora, Weights& weights);

// A PEFT adapter in memory: what the two files of its directory hold. Deterministic.
struct AdapterBytes {
  std::string config_json;
  std::string safetensors;
};
absl::StatusOr<AdapterBytes> ToAdapter(const Lora& lora, absl::string_view base_model);
absl::Status WriteAdapter(const AdapterBytes& adapter, const std::filesystem::path& directory);

Lora FromAdapter(const Adapter& adapter);
absl::StatusOr<Lora> ReadAdapter(const std::filesystem::path& directory);

}  // namespace cairn
