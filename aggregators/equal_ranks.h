// For rules that average the factors of clients entry by entry.
#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "aggregators/aggregator.h"

namespace cairn {

// INVALID_ARGUMENT, with both clients and values, unless `ours` of client `here` has the rank and the scale of the
// module that another client came with. `other`: Aggregator::FirstWith of the module's name; null passes.
absl::Status CheckEqualRankAndScale(absl::string_view rule, absl::string_view here, const LoraModule& ours,
                                    const std::pair<std::string, const LoraModule*>* other);

}  // namespace cairn
