// Who has which module or tensor, and what all who have it have the same: factors that the rule wants frozen, tensors
// that are no floats.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "aggregators/partial/state.h"

namespace cairn::internal {

// Frozen bytes of a client, or that a sum kept.
struct FrozenView {
  bool module = false;  // Of a module, else a tensor.
  std::string name;     // Of it.
  std::string part;     // "A", "B" or "".
  std::string holder;   // The client.
  TensorView view;
};
std::vector<FrozenView> FrozenOf(const Adapter& adapter, const Aggregator::Summed& summed, const std::string& client);
std::vector<FrozenView> FrozenOf(const PartialState& state);

// INVALID_ARGUMENT, with both holders, where one differs from what `state` has or from one before it; where it is not
// finite, with its client.
absl::Status CheckFrozen(const PartialState& state, absl::Span<const FrozenView> newcomers);
void KeepFrozen(absl::Span<const FrozenView> newcomers, PartialState& state);

// Counts a client, or those of another sum, where they have something.
void CountHolders(const Adapter& adapter, std::uint64_t examples, PartialState& state);
void CountHolders(const PartialState& other, PartialState& state);

}  // namespace cairn::internal
