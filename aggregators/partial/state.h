// All of a partial sum but its planes.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/numeric/int128.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "adapter/lora.h"
#include "aggregators/aggregator.h"
#include "aggregators/kernels/window_sum.h"
#include "aggregators/partial/layout.h"
#include "aggregators/partial_sum.h"

namespace cairn::internal {

// What all who have it have the same, as the first of them by client id sent it: which of them came first, or whose
// bytes merged into whose, does not show.
struct FrozenPart {
  std::string holder;  // That client.
  DType dtype = DType::kF32;
  std::string bytes;
};

// Of a module or tensor: those who have it.
struct Held {
  absl::uint128 examples = 0;
  std::int64_t rank_in = 0;                  // The sum of their ranks. Modules only.
  std::map<std::string, FrozenPart> frozen;  // By "A", "B"; a tensor that is no float is "".
};

// What grows as clients come. `common` stands for them all where the rule looks at a newcomer: what some client has,
// without bytes, at the rank of the result, with what the rule wants the same in all of them.
struct PartialShape {
  Adapter common;
  AdapterSpec spec;
  std::vector<std::int64_t> ranks;
  Layout layout;
};

struct PartialState {
  std::string combine;
  std::shared_ptr<const Aggregator> rule;  // Without clients.
  std::vector<Contributor> contributors;   // Ascending by client.
  absl::uint128 examples = 0;
  std::map<std::string, Held> modules, tensors;
  PartialShape shape;
  std::vector<kernels::BlockWindows> windows;  // Of the layout's blocks.
};

// The rule as PartialState has it. INVALID_ARGUMENT: it is no sum. Else as MakeAggregator.
absl::StatusOr<std::shared_ptr<const Aggregator>> MakeSumRule(const std::string& combine);

// One who is to be taken beside those before.
struct Newcomer {
  std::string client;              // A client's id, for messages; of a sum any of its contributors.
  const Adapter* shape = nullptr;  // Without bytes.
};
// The shape with them, as the rule checks it. `before` are the contributors to `shape`. Aggregator's errors.
absl::StatusOr<PartialShape> ShapeWith(const std::string& combine, const std::vector<Contributor>& before,
                                       const PartialShape& shape, absl::Span<const Newcomer> newcomers,
                                       std::int64_t blocks_max);

// An adapter without its bytes.
Adapter WithoutBytes(const Adapter& adapter);

}  // namespace cairn::internal
