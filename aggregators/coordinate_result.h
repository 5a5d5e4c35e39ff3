// The result of a coordinate-wise rule: every entry of every product dW_i and of every tensor by itself. Products are
// formed a few rows at a time and never stand in memory whole.
#pragma once

#include <cstddef>
#include <vector>

#include "absl/status/status.h"
#include "aggregators/aggregator.h"
#include "aggregators/combined.h"
#include "aggregators/kernels/coordinate.h"
#include "aggregators/kernels/small_matrix.h"
#include "aggregators/outcome_tally.h"
#include "aggregators/shard.h"

namespace cairn {

struct CoordinatePlan {
  kernels::CoordinateRule rule;
  std::vector<std::size_t> clients;    // Whose values are looked at, by index in Aggregator::updates(); ascending.
  kernels::SmallMatrix mixing;         // [clients, columns]: what the guards made of them. Empty: themselves.
  const Adapter* reference = nullptr;  // g: the rule sees x_i - g, and g is added again. Null: zero.
};

// Gives `sink` every module, as CombinedModule::change, and every tensor. A client that lacks a module is zero there;
// one that lacks a tensor of absolute values does not vote on it, and a tensor that no majority has is left out.
// Reading a module holds the A of all clients as float64, and some 16 MiB. `tally` hears of every value once; its
// clients are those of updates(), and it must outlive what the sink keeps.
// INVALID_ARGUMENT names the client and the tensor with a value that is not finite. Else the sink's first error.
// With a shard, of its own modules and tensors; the tally is brought together by the caller.
absl::Status ReportCoordinates(const Aggregator& aggregator, const CoordinatePlan& plan, const Shard* shard,
                               OutcomeTally& tally, const ResultSink& sink);

}  // namespace cairn
