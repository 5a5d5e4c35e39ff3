#include "simulation/model/lora.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <system_error>
#include <vector>

#include "absl/strings/str_cat.h"
#include "adapter/directory.h"
#include "base/files.h"
#include "base/status_macros.h"
#include "simulation/model/random.h"

namespace cairn {
namespace {

std::vector<float> UniformValues(std::int64_t count, float bound, std::uint64_t seed) {
  Random random(seed);
  std::vector<float> values(count);
  for (float& value : values) value = bound * (2 * random.Uniform() - 1);
  return values;
}

at::Tensor ToTensor(const TensorView& view) {
  at::Tensor out = at::empty(view.shape, at::kFloat);
  ToFloat(view.dtype, view.data.data(), static_cast<std::size_t>(view.elements()), out.data_ptr<float>());
  return out;
}

Factors CutModule(const Factors& published, const Factors& fresh) {
  const std::int64_t rank = fresh.a.size(0);
  const std::int64_t kept = std::min(rank, published.a.size(0));
  const at::Tensor b = published.b.narrow(1, 0, kept) * (published.scale / fresh.scale);
  Factors out{published.a.narrow(0, 0, kept), b, fresh.scale};
  if (kept < rank) {
    out.a = at::cat({out.a, fresh.a.narrow(0, kept, rank - kept)}, 0);
    out.b = at::cat({out.b, fresh.b.narrow(1, kept, rank - kept)}, 1);
  }
  return {out.a.contiguous().clone(), out.b.contiguous(), out.scale};
}

absl::Status MergeModule(const std::string& module, const Factors& factors, Weights& weights) {
  const auto weight = weights.tensors.find(module + ".weight");
  if (weight == weights.tensors.end()) {
    return absl::InvalidArgumentError(absl::StrCat("adapter module ", module, " is not in the base model"));
  }
  at::Tensor& w = weight->second;
  if (factors.b.size(0) != w.size(0) || factors.a.size(1) != w.size(1)) {
    return absl::InvalidArgumentError(absl::StrCat("adapter module ", module, ": expected [", w.size(0), ", ",
                                                   w.size(1), "], got [", factors.b.size(0), ", ", factors.a.size(1),
                                                   "]"));
  }
  w = at::addmm(w, factors.b.detach(), factors.a.detach(), 1, factors.scale);
  return absl::OkStatus();
}

}  // namespace

Lora FreshLora(const ModelConfig& config, std::int64_t rank, double alpha, std::uint64_t seed) {
  Lora lora{rank, alpha, {}};
  for (const WeightSpec& spec : WeightsOf(config)) {
    if (!spec.adapted) continue;
    const std::int64_t d_out = spec.shape[0], d_in = spec.shape[1];
    const float bound = 1.0f / std::sqrt(static_cast<float>(d_in));
    const std::vector<float> a = UniformValues(rank * d_in, bound, SeedOf(seed, {"lora_A", spec.module()}));
    lora.modules[spec.module()] = {TensorOf(a, {rank, d_in}), at::zeros({d_out, rank}),
                                   alpha / static_cast<double>(rank)};
  }
  return lora;
}

Lora CutToRank(const Lora& published, const Lora& fresh) {
  Lora out{fresh.rank, fresh.alpha, {}};
  for (const auto& [module, factors] : fresh.modules) {
    const auto found = published.modules.find(module);
    out.modules[module] = found == published.modules.end() ? factors : CutModule(found->second, factors);
  }
  return out;
}

Lora Completed(Lora published, const Lora& before) {
  published.modules.insert(before.modules.begin(), before.modules.end());
  return published;
}

Lora BehindRank(const Lora& published, std::int64_t rank) {
  Lora out;
  for (const auto& [module, factors] : published.modules) {
    const std::int64_t behind = factors.a.size(0) - rank;
    if (behind <= 0) continue;
    out.modules[module] = {factors.a.narrow(0, rank, behind), factors.b.narrow(1, rank, behind), factors.scale};
  }
  return out;
}

double TailNorm(const Lora& lora, std::int64_t first) {
  double sum = 0;
  for (const auto& [module, factors] : BehindRank(lora, first).modules) {
    sum += factors.scale * at::norm(factors.b).item<double>() * at::norm(factors.a).item<double>();
  }
  return sum;
}

absl::Status MergeInto(const Lora& lora, Weights& weights) {
  for (const auto& [module, factors] : lora.modules) {
    CAIRN_RETURN_IF_ERROR(MergeModule(module, factors, weights));
  }
  return absl::OkStatus();
}

absl::StatusOr<AdapterBytes> ToAdapter(const Lora& lora, absl::string_view base_model) {
  PeftConfig config;
  config.base_model = std::string(base_model);
  config.task_type = "CAUSAL_LM";
  config.rank = lora.rank;
  config.alpha = lora.alpha;
  config.target_modules = TargetModules();
  std::vector<TensorView> views;
  for (const auto& [module, factors] : lora.modules) {
    views.push_back({LoraAName(module), DType::kF32, factors.a.sizes().vec(), BytesOf(factors.a)});
    views.push_back({LoraBName(module), DType::kF32, factors.b.sizes().vec(), BytesOf(factors.b)});
  }
  CAIRN_ASSIGN_OR_RETURN(std::string bytes, SerializeSafetensors(views, {{"format", "pt"}}));
  return AdapterBytes{SerializePeftConfig(config), std::move(bytes)};
}

absl::Status WriteAdapter(const AdapterBytes& adapter, const std::filesystem::path& directory) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) return ErrnoStatus(error.value(), "create", directory);
  CAIRN_RETURN_IF_ERROR(WriteFileAtomically(directory / kAdapterConfigFile, adapter.config_json));
  return WriteFileAtomically(directory / kAdapterModelFile, adapter.safetensors);
}

Lora FromAdapter(const Adapter& adapter) {
  Lora lora{adapter.config.rank, adapter.config.alpha, {}};
  for (const LoraModule& module : adapter.modules) {
    lora.modules[module.name] = {ToTensor(module.a), ToTensor(module.b), module.scale};
  }
  return lora;
}

absl::StatusOr<Lora> ReadAdapter(const std::filesystem::path& directory) {
  CAIRN_ASSIGN_OR_RETURN(const StoredAdapter stored, OpenAdapterDirectory(directory));
  return FromAdapter(stored.adapter);
}

}  // namespace cairn
