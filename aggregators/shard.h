// One of the processes that share a round by module. Each weighs and combines its own modules and tensors; what they
// need of each other are sums over all of them, and those are integers (aggregators/kernels/exact_sums.h): every spread
// of the modules gives the same bits.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "adapter/lora.h"
#include "aggregators/kernels/exact_sums.h"

namespace cairn {

// Brings numbers together: all shards call the same, in the same order, with as many, and each gets the result in their
// place. server/tree/collective.h has them over processes. An error ends the round on this shard.
using Reduce = std::function<absl::Status(absl::Span<std::int64_t>)>;

struct Shard {
  std::set<std::string, std::less<>> modules, tensors;  // Its own, by name. May be none.
  Reduce sum, max;
  // Of the updates only the values of these are there (at a node); those of others read as zeros, and must not be looked
  // at. Else a round that is refused is refused with the same error on all shards.
  bool only_own_values = false;
};

// Whether there is a module, or a tensor, of that name that is the shard's own. Null: all are.
bool OwnsModule(const Shard* shard, absl::string_view name);
bool OwnsTensor(const Shard* shard, absl::string_view name);
// Leaves what is the shard's own.
void KeepOwn(const Shard* shard, AdapterSpec& spec);
// The modules and tensors that are, without a config.
Adapter OwnPart(const Shard& shard, const Adapter& adapter);

// Sums over all shards, in place. Nothing to do without a shard.
absl::Status SumOver(const Shard* shard, kernels::ExactSums& sums);

// What some shards found about the same things: of each thing, all get the text with the least position, or "" where
// nobody has one. Of two at one position, none: positions are of modules and tensors, which have one owner.
struct Found {
  std::int64_t position = 0;  // >= 0
  std::string text;           // Empty: nothing.
};
absl::Status FirstOver(const Shard* shard, std::vector<Found>& found);

}  // namespace cairn
