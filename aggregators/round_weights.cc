#include "aggregators/round_weights.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

constexpr double kProductMax = 1e150;  // Its square, times all entries of a weight, is a float64.

std::vector<const Adapter*> ColumnsOf(const Weighing& weighing, const Aggregator& aggregator,
                                      const RoundMemory& memory) {
  std::vector<const Adapter*> columns;
  for (const auto& [client, update] : aggregator.updates()) columns.push_back(update.adapter);
  for (const auto& [client, update] : aggregator.updates()) {
    if (!weighing.rule().needs().history) break;
    const auto found = memory.histories.find(client);
    columns.push_back(found == memory.histories.end() ? nullptr : found->second);
  }
  if (weighing.rule().needs().last && memory.last != nullptr) columns.push_back(memory.last);
  if (memory.reference != nullptr) columns.push_back(memory.reference);
  return columns;
}

// Whether sums over a product of doubles may overflow, which no rule can see.
bool MayOverflow(const LoraModule& module) {
  if (module.a.dtype != DType::kF64 && module.b.dtype != DType::kF64) return false;
  const auto largest = [](const TensorView& view) {
    return MaxMagnitude(view.dtype, view.data.data(), static_cast<std::size_t>(view.elements()));
  };
  const double core = module.core ? largest(*module.core) : 1;
  return !(largest(module.a) * largest(module.b) * core * std::abs(module.scale) < kProductMax);
}

// What keeps an update from being looked at entry by entry, for people; nothing for most.
std::string WhatIsNotFinite(const Adapter& adapter) {
  if (const absl::Status finite = CheckFinite(adapter); !finite.ok()) return std::string(finite.message());
  const bool overflows = std::any_of(adapter.modules.begin(), adapter.modules.end(), MayOverflow);
  return overflows ? "its products are more than float64 holds" : "";
}

// Why client i cannot be weighed, from the inner products; nothing where it can.
std::string WhyNot(const kernels::SmallMatrix& gram, std::size_t i, std::size_t clients, bool history,
                   const Adapter& adapter) {
  if (!std::isfinite(gram.at(i, i))) {
    const std::string values = WhatIsNotFinite(adapter);
    return values.empty()
               ? "its norm is more than float64 holds, or its factors cancel to less than 1e-12 of their size"
               : values;
  }
  const std::size_t at = clients + i;
  return history && !std::isfinite(gram.at(at, at)) ? "the sum of what it sent in earlier rounds is not finite" : "";
}

// What the inner products say is not finite, by client.
absl::StatusOr<std::vector<std::string>> NotFinite(const kernels::SmallMatrix& gram, const Weighing& weighing,
                                                   const Aggregator& aggregator) {
  const bool history = weighing.rule().needs().history;
  const std::size_t clients = aggregator.clients();
  std::vector<std::string> reasons;
  for (const auto& [client, update] : aggregator.updates()) {
    reasons.push_back(WhyNot(gram, reasons.size(), clients, history, *update.adapter));
  }
  for (std::size_t i = clients * (history ? 2 : 1); i < gram.rows; ++i) {
    if (!std::isfinite(gram.at(i, i))) {
      return absl::InvalidArgumentError("what the last round gave, or what updates are measured from, is not finite");
    }
  }
  return reasons;
}

// What values say, by client, where `reasons` has nothing yet.
void AddNotFinite(const Aggregator& aggregator, std::vector<std::string>& reasons) {
  reasons.resize(aggregator.clients());
  std::size_t i = 0;
  for (const auto& [client, update] : aggregator.updates()) {
    std::string& reason = reasons[i++];
    if (reason.empty()) reason = WhatIsNotFinite(*update.adapter);
  }
}

}  // namespace

absl::StatusOr<WeighingOutput> WeighRound(const Weighing& weighing, const Aggregator& aggregator,
                                          const RoundMemory& memory, const GramOptions& options, std::uint64_t round,
                                          bool known_finite) {
  WeighingInput input{.round = round};
  for (const auto& [client, update] : aggregator.updates()) {
    input.clients.push_back(client);
    input.examples.push_back(update.examples);
  }
  if (!weighing.needs_gram()) {
    if (weighing.drops_not_finite() && !known_finite) AddNotFinite(aggregator, input.not_finite);
    return weighing.Weigh(input);
  }
  GramOptions judged = options;
  judged.strict = aggregator.clients();  // What earlier rounds left is nobody's to answer for.
  CAIRN_ASSIGN_OR_RETURN(const kernels::SmallMatrix gram, GramOf(ColumnsOf(weighing, aggregator, memory), judged));
  CAIRN_ASSIGN_OR_RETURN(input.not_finite, NotFinite(gram, weighing, aggregator));
  // What the rule does not look at counts, too.
  if (!options.modules.empty() && !known_finite) AddNotFinite(aggregator, input.not_finite);
  input.gram = &gram;
  input.last = weighing.rule().needs().last && memory.last != nullptr;
  input.reference = memory.reference != nullptr;
  return weighing.Weigh(input);
}

}  // namespace cairn
