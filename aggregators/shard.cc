#include "aggregators/shard.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "base/status_macros.h"

namespace cairn {
namespace {

std::size_t WordsOf(std::int64_t bytes) {
  return (static_cast<std::size_t>(bytes) + sizeof(std::int64_t) - 1) / sizeof(std::int64_t);
}

}  // namespace

bool OwnsModule(const Shard* shard, absl::string_view name) {
  return shard == nullptr || shard->modules.count(name) > 0;
}
bool OwnsTensor(const Shard* shard, absl::string_view name) {
  return shard == nullptr || shard->tensors.count(name) > 0;
}

void KeepOwn(const Shard* shard, AdapterSpec& spec) {
  std::erase_if(spec.modules, [&](const ModuleSpec& module) { return !OwnsModule(shard, module.name); });
  std::erase_if(spec.tensors, [&](const TensorSpec& tensor) { return !OwnsTensor(shard, tensor.name); });
}

Adapter OwnPart(const Shard& shard, const Adapter& adapter) {
  Adapter own;
  for (const LoraModule& module : adapter.modules) {
    if (OwnsModule(&shard, module.name)) own.modules.push_back(module);
  }
  for (const DenseTensor& tensor : adapter.tensors) {
    if (OwnsTensor(&shard, tensor.view.name)) own.tensors.push_back(tensor);
  }
  return own;
}

absl::Status SumOver(const Shard* shard, kernels::ExactSums& sums) {
  if (shard == nullptr) return absl::OkStatus();
  std::vector<std::int64_t> tops = sums.tops();
  CAIRN_RETURN_IF_ERROR(shard->max(absl::MakeSpan(tops)));
  sums.Raise(tops);
  return shard->sum(sums.digits());
}

// Texts travel as sums, too: of each only its finder's bytes are not zero.
absl::Status FirstOver(const Shard* shard, std::vector<Found>& found) {
  if (shard == nullptr || found.empty()) return absl::OkStatus();
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  std::vector<std::int64_t> least, sizes;  // `least` negated, so that the greatest is taken.
  for (const Found& own : found) least.push_back(own.text.empty() ? -kMost : -own.position);
  const std::vector<std::int64_t> own = least;
  CAIRN_RETURN_IF_ERROR(shard->max(absl::MakeSpan(least)));
  const auto is_own = [&](std::size_t i) { return own[i] == least[i] && !found[i].text.empty(); };
  for (std::size_t i = 0; i < found.size(); ++i) {
    sizes.push_back(is_own(i) ? static_cast<std::int64_t>(found[i].text.size()) : 0);
  }
  CAIRN_RETURN_IF_ERROR(shard->sum(absl::MakeSpan(sizes)));
  std::size_t words = 0;
  for (const std::int64_t size : sizes) words += WordsOf(size);
  std::vector<std::int64_t> texts(words);
  for (std::size_t i = 0, at = 0; i < found.size(); at += WordsOf(sizes[i++])) {
    if (is_own(i)) std::memcpy(texts.data() + at, found[i].text.data(), found[i].text.size());
  }
  CAIRN_RETURN_IF_ERROR(shard->sum(absl::MakeSpan(texts)));
  for (std::size_t i = 0, at = 0; i < found.size(); at += WordsOf(sizes[i++])) {
    found[i].position = least[i] == -kMost ? 0 : -least[i];
    found[i].text.assign(reinterpret_cast<const char*>(texts.data() + at), static_cast<std::size_t>(sizes[i]));
  }
  return absl::OkStatus();
}

}  // namespace cairn
