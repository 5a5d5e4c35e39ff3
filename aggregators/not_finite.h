// What keeps an update from being looked at entry by entry, in words.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "adapter/lora.h"
#include "aggregators/shard.h"

namespace cairn {

// Of each adapter its first value that is not finite, or that its products are more than float64 holds; "" for most. A
// shard reads what is its own, and all shards get the same texts. Errors: the shard's.
absl::StatusOr<std::vector<std::string>> WhatIsNotFinite(const Shard* shard, absl::Span<const Adapter* const> adapters);

}  // namespace cairn
