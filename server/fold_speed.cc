#include "server/fold_speed.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "adapter/lora.h"
#include "aggregators/partial_sum.h"

namespace cairn {
namespace {

constexpr std::int64_t kRank = 64, kDim = 4096;  // 1 MiB a factor.
constexpr int kFolds = 4;                        // The first makes room for the sum, too.
// Of a durable upload, processor time of the server (docs/performance.md); in memory mode it is a third of it.
constexpr double kReceiveSecondsPerByte = 1.44e-9;
constexpr double kNetworkBytesPerSecond = 1.25e9;

TensorView ViewOf(const std::string& name, std::vector<std::int64_t> shape, const std::vector<float>& values) {
  TensorView view;
  view.name = name;
  view.dtype = DType::kF32;
  view.shape = std::move(shape);
  view.data = {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)};
  return view;
}

Adapter AdapterOf(const std::vector<float>& factor) {
  LoraModule module;
  module.name = "m";
  module.d_in = module.d_out = kDim;
  module.rank = kRank;
  module.a = ViewOf(LoraAName(module.name), {kRank, kDim}, factor);
  module.b = ViewOf(LoraBName(module.name), {kDim, kRank}, factor);
  Adapter adapter;
  adapter.modules.push_back(std::move(module));
  return adapter;
}

}  // namespace

double MeasureFoldSecondsPerByte() {
  const std::vector<float> factor(kRank * kDim, 0.001f);
  const Adapter adapter = AdapterOf(factor);
  absl::StatusOr<PartialSum> sum = PartialSum::Create("mean");
  if (!sum.ok()) return kFoldSecondsPerByteUsual;
  double best = 1;
  for (int i = 0; i < kFolds; ++i) {
    const auto start = std::chrono::steady_clock::now();
    if (!sum->Add({absl::StrCat("c", i), std::string(64, '0'), 1}, adapter).ok()) return kFoldSecondsPerByteUsual;
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    best = std::min(best, took.count());
  }
  return std::max(best, 1e-9) / (2 * sizeof(float) * static_cast<double>(factor.size()));
}

double UpdateCapacity(std::uint32_t cores, double fold_seconds_per_byte) {
  return std::min(cores / (kReceiveSecondsPerByte + fold_seconds_per_byte), kNetworkBytesPerSecond);
}

}  // namespace cairn
