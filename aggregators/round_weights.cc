#include "aggregators/round_weights.h"

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "aggregators/not_finite.h"
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

// Why clients cannot be looked at, where `asked` says so; by client.
absl::StatusOr<std::vector<std::string>> TextsOf(const Aggregator& aggregator, const Shard* shard,
                                                 const std::vector<bool>& asked) {
  std::vector<const Adapter*> adapters;
  std::vector<std::size_t> clients;
  std::size_t i = 0;
  for (const auto& [client, update] : aggregator.updates()) {
    if (asked[i]) {
      adapters.push_back(update.adapter);
      clients.push_back(i);
    }
    ++i;
  }
  CAIRN_ASSIGN_OR_RETURN(std::vector<std::string> found, WhatIsNotFinite(shard, adapters));
  std::vector<std::string> texts(aggregator.clients());
  for (std::size_t k = 0; k < clients.size(); ++k) texts[clients[k]] = std::move(found[k]);
  return texts;
}

// What the inner products say is not finite, by client.
absl::StatusOr<std::vector<std::string>> NotFinite(const kernels::SmallMatrix& gram, const Weighing& weighing,
                                                   const Aggregator& aggregator, const Shard* shard) {
  const bool history = weighing.rule().needs().history;
  const std::size_t clients = aggregator.clients();
  const auto finite = [&](std::size_t column) { return std::isfinite(gram.at(column, column)); };
  std::vector<bool> asked;
  for (std::size_t i = 0; i < clients; ++i) asked.push_back(!finite(i));
  CAIRN_ASSIGN_OR_RETURN(std::vector<std::string> reasons, TextsOf(aggregator, shard, asked));
  for (std::size_t i = 0; i < clients; ++i) {
    if (asked[i] && reasons[i].empty()) {
      reasons[i] = "its norm is more than float64 holds, or its factors cancel to less than 1e-12 of their size";
    } else if (history && !asked[i] && !finite(clients + i)) {
      reasons[i] = "the sum of what it sent in earlier rounds is not finite";
    }
  }
  for (std::size_t i = clients * (history ? 2 : 1); i < gram.rows; ++i) {
    if (!finite(i)) {
      return absl::InvalidArgumentError("what the last round gave, or what updates are measured from, is not finite");
    }
  }
  return reasons;
}

// What values say, by client, where `reasons` has nothing yet.
absl::Status AddNotFinite(const Aggregator& aggregator, const Shard* shard, std::vector<std::string>& reasons) {
  reasons.resize(aggregator.clients());
  std::vector<bool> asked;
  for (const std::string& reason : reasons) asked.push_back(reason.empty());
  CAIRN_ASSIGN_OR_RETURN(std::vector<std::string> texts, TextsOf(aggregator, shard, asked));
  for (std::size_t i = 0; i < reasons.size(); ++i) {
    if (asked[i]) reasons[i] = std::move(texts[i]);
  }
  return absl::OkStatus();
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
    if (weighing.drops_not_finite() && !known_finite) {
      CAIRN_RETURN_IF_ERROR(AddNotFinite(aggregator, options.shard, input.not_finite));
    }
    return weighing.Weigh(input);
  }
  GramOptions judged = options;
  judged.strict = aggregator.clients();  // What earlier rounds left is nobody's to answer for.
  CAIRN_ASSIGN_OR_RETURN(const kernels::SmallMatrix gram, GramOf(ColumnsOf(weighing, aggregator, memory), judged));
  CAIRN_ASSIGN_OR_RETURN(input.not_finite, NotFinite(gram, weighing, aggregator, options.shard));
  // What the rule does not look at counts, too.
  if (!options.modules.empty() && !known_finite) {
    CAIRN_RETURN_IF_ERROR(AddNotFinite(aggregator, options.shard, input.not_finite));
  }
  input.gram = &gram;
  input.last = weighing.rule().needs().last && memory.last != nullptr;
  input.reference = memory.reference != nullptr;
  return weighing.Weigh(input);
}

}  // namespace cairn
