// That shards share one and the same round: what each of them finds out by itself, they hold against each other.
#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "adapter/lora.h"
#include "aggregators/shard.h"

namespace cairn {

// FAILED_PRECONDITION on every shard when not all have the same `bytes`; `what` says of what, for people. Else the
// shard's errors, as below. Nothing to do without a shard.
absl::Status CheckSame(const Shard* shard, absl::string_view what, absl::string_view bytes);

// FAILED_PRECONDITION on every shard, with the name, when a module or tensor of `all` is nobody's, or of two.
// REQUIRES: `all` is the same on all shards (CheckSame).
absl::Status CheckOwners(const Shard* shard, const AdapterSpec& all);

}  // namespace cairn
