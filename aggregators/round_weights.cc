#include "aggregators/round_weights.h"

#include <cmath>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

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

// Why an update cannot be used, for people.
std::string WhatIsNotFinite(const Adapter& adapter) {
  const absl::Status finite = CheckFinite(adapter);
  return finite.ok() ? "its norm is more than float64 holds" : std::string(finite.message());
}

// What the inner products say is not finite, by client.
absl::StatusOr<std::vector<std::string>> NotFinite(const kernels::SmallMatrix& gram, const Aggregator& aggregator) {
  std::vector<std::string> reasons;
  for (const auto& [client, update] : aggregator.updates()) {
    const std::size_t i = reasons.size();
    reasons.push_back(std::isfinite(gram.at(i, i)) ? "" : WhatIsNotFinite(*update.adapter));
  }
  for (std::size_t i = reasons.size(); i < gram.rows; ++i) {
    if (!std::isfinite(gram.at(i, i))) return absl::InvalidArgumentError("what earlier rounds left is not finite");
  }
  return reasons;
}

std::vector<std::string> NotFinite(const Aggregator& aggregator) {
  std::vector<std::string> reasons;
  for (const auto& [client, update] : aggregator.updates()) {
    const absl::Status finite = CheckFinite(*update.adapter);
    reasons.push_back(finite.ok() ? "" : std::string(finite.message()));
  }
  return reasons;
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
    if (weighing.drops_not_finite() && !known_finite) input.not_finite = NotFinite(aggregator);
    return weighing.Weigh(input);
  }
  CAIRN_ASSIGN_OR_RETURN(const kernels::SmallMatrix gram, GramOf(ColumnsOf(weighing, aggregator, memory), options));
  CAIRN_ASSIGN_OR_RETURN(input.not_finite, NotFinite(gram, aggregator));
  input.gram = &gram;
  input.last = weighing.rule().needs().last && memory.last != nullptr;
  input.reference = memory.reference != nullptr;
  return weighing.Weigh(input);
}

}  // namespace cairn
