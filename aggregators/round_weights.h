// From the updates of a round to what each of them counts: reads them once, where the rule looks at them at all.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "aggregators/aggregator.h"
#include "aggregators/gram.h"
#include "aggregators/weighing.h"

namespace cairn {

// What earlier rounds left, for rules that look at it. The adapters' views must live as long as they are used.
struct RoundMemory {
  const Adapter* last = nullptr;       // What the last round published: Rule::Needs::last. Null: zero.
  const Adapter* reference = nullptr;  // What the updates are measured from: x_i - g. Null: zero.
  // By client, the sum of what it sent in earlier rounds: Rule::Needs::history. Those who are not there: zero.
  std::map<std::string, const Adapter*> histories;
};

// `round` is for guards that draw lots; `known_finite`: nobody needs to look for NaN. REQUIRES: the bytes of all
// updates are there (Aggregator::CheckBytes). INVALID_ARGUMENT as Weighing::Weigh, and when what earlier rounds left is
// not finite; else GramOf's errors.
absl::StatusOr<WeighingOutput> WeighRound(const Weighing& weighing, const Aggregator& aggregator,
                                          const RoundMemory& memory, const GramOptions& options, std::uint64_t round,
                                          bool known_finite = false);

}  // namespace cairn
