#include "aggregators/not_finite.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>

#include "base/status_macros.h"

namespace cairn {
namespace {

constexpr double kProductMax = 1e150;  // Its square, times all entries of a weight, is a float64.
constexpr std::int64_t kAfterAllValues = std::int64_t{1} << 62;

// Whether sums over a product of doubles may overflow, which no rule can see.
bool MayOverflow(const LoraModule& module) {
  if (module.a.dtype != DType::kF64 && module.b.dtype != DType::kF64) return false;
  const auto largest = [](const TensorView& view) {
    return MaxMagnitude(view.dtype, view.data.data(), static_cast<std::size_t>(view.elements()));
  };
  const double core = module.core ? largest(*module.core) : 1;
  return !(largest(module.a) * largest(module.b) * core * std::abs(module.scale) < kProductMax);
}

// By what is the shard's own.
Found FirstOf(const Shard* shard, const Adapter& adapter) {
  std::int64_t position = 0;
  for (const LoraModule& module : adapter.modules) {
    const absl::Status finite = OwnsModule(shard, module.name) ? CheckFinite({.modules = {module}}) : absl::OkStatus();
    if (!finite.ok()) return {position, std::string(finite.message())};
    ++position;
  }
  for (const DenseTensor& tensor : adapter.tensors) {
    const absl::Status finite =
        OwnsTensor(shard, tensor.view.name) ? CheckFinite({.tensors = {tensor}}) : absl::OkStatus();
    if (!finite.ok()) return {position, std::string(finite.message())};
    ++position;
  }
  const bool overflows = std::any_of(adapter.modules.begin(), adapter.modules.end(), [&](const LoraModule& module) {
    return OwnsModule(shard, module.name) && MayOverflow(module);
  });
  return {kAfterAllValues, overflows ? "its products are more than float64 holds" : ""};
}

}  // namespace

absl::StatusOr<std::vector<std::string>> WhatIsNotFinite(const Shard* shard,
                                                         absl::Span<const Adapter* const> adapters) {
  std::vector<Found> found;
  for (const Adapter* adapter : adapters) found.push_back(FirstOf(shard, *adapter));
  CAIRN_RETURN_IF_ERROR(FirstOver(shard, found));
  std::vector<std::string> texts;
  for (Found& one : found) texts.push_back(std::move(one.text));
  return texts;
}

}  // namespace cairn
