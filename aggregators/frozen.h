// For rules whose clients train a part of their factors only and have the rest in common.
#pragma once

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "aggregators/aggregator.h"

namespace cairn {

struct FrozenFactors {
  bool a = false, b = false;
};
// One `module factor digest` line for every frozen matrix: the SHA-256 of its numbers, whatever their type. The bytes
// must be there.
std::string FrozenDigests(const Adapter& adapter, FrozenFactors which);

// INVALID_ARGUMENT, with module, factor and both clients, when `update` and one of `others` have a frozen matrix of
// other values. Reads ClientUpdate::frozen only.
absl::Status CheckFrozen(absl::string_view rule, const ClientUpdate& update,
                         const std::map<std::string, ClientUpdate>& others);

}  // namespace cairn
