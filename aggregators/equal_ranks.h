// For rules that average the factors of clients entry by entry.
#pragma once

#include <string>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "aggregators/aggregator.h"

namespace cairn {

// INVALID_ARGUMENT, with the module, both clients and values, unless every module of `update` has the rank and the
// scale of the one that another client came with: what `first_with` (Aggregator::FirstWith) gives for its name, null
// for none.
absl::Status CheckEqualRanksAndScales(
    absl::string_view rule, const ClientUpdate& update,
    absl::FunctionRef<const std::pair<std::string, const LoraModule*>*(absl::string_view module)> first_with);

}  // namespace cairn
