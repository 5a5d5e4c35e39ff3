#include "aggregators/partial/held.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <tuple>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "aggregators/blame.h"
#include "aggregators/frozen.h"
#include "base/status_macros.h"

namespace cairn::internal {
namespace {

constexpr std::size_t kBlockElements = 4096;

std::string NameOf(const FrozenView& frozen) {
  return absl::StrCat(frozen.module ? "module " : "tensor ", absl::CHexEscape(frozen.name),
                      frozen.module ? absl::StrCat(" lora_", frozen.part) : "");
}

// -0 and 0 are the same number, whatever the type.
bool SameNumbers(const TensorView& x, const TensorView& y) {
  if (x.dtype == y.dtype && x.data == y.data) return true;
  if (!IsFloat(x.dtype) || !IsFloat(y.dtype) || x.elements() != y.elements()) return false;
  std::vector<double> u, v;
  const auto elements = static_cast<std::size_t>(x.elements());
  for (std::size_t first = 0; first < elements; first += kBlockElements) {
    u.resize(std::min(kBlockElements, elements - first));
    v.resize(u.size());
    ToDouble(x.dtype, x.data.data() + first * SizeOf(x.dtype), u.size(), u.data());
    ToDouble(y.dtype, y.data.data() + first * SizeOf(y.dtype), v.size(), v.data());
    if (u != v) return false;
  }
  return true;
}

bool Agree(const FrozenView& x, const FrozenView& y) {
  if (!x.module && IsStepCounter(x.view) && IsStepCounter(y.view)) return true;
  return SameNumbers(x.view, y.view);
}

absl::Status CheckValues(const FrozenView& frozen) {
  if (!IsFloat(frozen.view.dtype)) return absl::OkStatus();
  const auto count = static_cast<std::size_t>(frozen.view.elements());
  const std::size_t index = FirstNonFinite(frozen.view.dtype, frozen.view.data.data(), count);
  if (index == count) return absl::OkStatus();
  return BlameClient(absl::InvalidArgumentError(absl::StrCat("client ", frozen.holder, ": ", NameOf(frozen),
                                                             ": expected finite values, got others at index ", index)),
                     frozen.holder);
}

absl::Status Differ(absl::string_view rule, const FrozenView& frozen, absl::string_view other) {
  return absl::InvalidArgumentError(absl::StrCat(
      "combine ", rule, ": ", NameOf(frozen), " differs between client ", frozen.holder, " and client ", other, ": ",
      frozen.module ? "the same frozen values are needed in all clients"
                    : "it is of no floating-point type, so it cannot be averaged"));
}

std::map<std::string, Held>& HeldIn(PartialState& state, bool module) { return module ? state.modules : state.tensors; }

FrozenView ViewOf(bool module, const std::string& name, const std::string& part, const FrozenPart& frozen,
                  std::vector<std::int64_t> shape) {
  return {module, name, part, frozen.holder, {name, frozen.dtype, std::move(shape), frozen.bytes, {}}};
}

std::int64_t StepsOf(absl::string_view bytes) {
  std::int64_t steps;
  std::memcpy(&steps, bytes.data(), sizeof steps);
  return steps;
}

bool Replaces(const FrozenView& newcomer, const FrozenPart& kept) {
  if (newcomer.module || !IsStepCounter(newcomer.view)) return newcomer.holder < kept.holder;
  const std::int64_t steps = StepsOf(newcomer.view.data), most = StepsOf(kept.bytes);
  return steps > most || (steps == most && newcomer.holder < kept.holder);
}

}  // namespace

std::vector<FrozenView> FrozenOf(const Adapter& adapter, const Aggregator::Summed& summed, const std::string& client) {
  std::vector<FrozenView> all;
  for (const LoraModule& module : adapter.modules) {
    if (!summed.a) all.push_back({true, module.name, "A", client, module.a});
    if (!summed.b) all.push_back({true, module.name, "B", client, module.b});
  }
  for (const DenseTensor& tensor : adapter.tensors) {
    if (!IsFloat(tensor.view.dtype)) all.push_back({false, tensor.view.name, "", client, tensor.view});
  }
  return all;
}

std::vector<FrozenView> FrozenOf(const PartialState& state) {
  std::vector<FrozenView> all;
  for (const LoraModule& module : state.shape.common.modules) {
    for (const auto& [part, frozen] : state.modules.at(module.name).frozen) {
      all.push_back(ViewOf(true, module.name, part, frozen, part == "A" ? module.a.shape : module.b.shape));
    }
  }
  for (const DenseTensor& tensor : state.shape.common.tensors) {
    for (const auto& [part, frozen] : state.tensors.at(tensor.view.name).frozen) {
      all.push_back(ViewOf(false, tensor.view.name, part, frozen, tensor.view.shape));
    }
  }
  return all;
}

absl::Status CheckFrozen(const PartialState& state, absl::Span<const FrozenView> newcomers) {
  const std::vector<FrozenView> kept = FrozenOf(state);
  std::map<std::tuple<bool, std::string, std::string>, const FrozenView*> first;
  for (const FrozenView& frozen : kept) first.emplace(std::tuple(frozen.module, frozen.name, frozen.part), &frozen);
  for (const FrozenView& frozen : newcomers) {
    CAIRN_RETURN_IF_ERROR(CheckValues(frozen));
    const FrozenView* other =
        first.try_emplace(std::tuple(frozen.module, frozen.name, frozen.part), &frozen).first->second;
    if (other != &frozen && !Agree(frozen, *other)) return Differ(state.rule->name(), frozen, other->holder);
  }
  return absl::OkStatus();
}

void KeepFrozen(absl::Span<const FrozenView> newcomers, PartialState& state) {
  for (const FrozenView& frozen : newcomers) {
    auto& parts = HeldIn(state, frozen.module)[frozen.name].frozen;
    const auto kept = parts.find(frozen.part);
    if (kept != parts.end() && !Replaces(frozen, kept->second)) continue;
    parts[frozen.part] = {frozen.holder, frozen.view.dtype, std::string(frozen.view.data)};
  }
}

void CountHolders(const Adapter& adapter, std::uint64_t examples, PartialState& state) {
  for (const LoraModule& module : adapter.modules) {
    Held& held = state.modules[module.name];
    held.examples += examples;
    held.rank_in += module.rank;
  }
  for (const DenseTensor& tensor : adapter.tensors) state.tensors[tensor.view.name].examples += examples;
}

void CountHolders(const PartialState& other, PartialState& state) {
  for (const bool module : {true, false}) {
    for (const auto& [name, more] : module ? other.modules : other.tensors) {
      Held& held = HeldIn(state, module)[name];
      held.examples += more.examples;
      held.rank_in += more.rank_in;
    }
  }
}

}  // namespace cairn::internal
